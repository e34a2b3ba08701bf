"""The root of all errors that Headrace's own code defines. Pure.

Use cases raise subclasses of HeadraceError. They know no HTTP status and no exit code. One table at
each edge translates the errors: services.api.http.error_responses and shared.web.problems into
problems, services.fanout.subscribe.handler into an in-band `overload`, and
services.indexer.commands.runner into an exit code.

See docs/decisions/0064-errors-are-translated-at-the-edge.md.
"""


class HeadraceError(Exception):
    """Base class of the errors of all our code. The message is a sentence for the operator."""
