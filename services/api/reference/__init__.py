"""The API's reference: OpenAPI, AsyncAPI, JSON Schema and the page that shows them."""
