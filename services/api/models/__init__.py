"""Models of the API's responses and events, for OpenAPI and AsyncAPI."""
