"""The pages /problems and /problems/<slug>: the types of problems as JSON and as HTML."""

from __future__ import annotations

from html import escape

from services.api.reference.problems import PROBLEM_TYPES
from shared.web.problems import Slug

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – Headrace API</title>
<link rel="stylesheet" href="/docs/style.css">
</head>
<body>
<nav aria-label="Types of problems">
<h2>Problems</h2>
{links}
</nav>
<main>
{main}
</main>
</body>
</html>
"""


def problem_types() -> list[dict[str, object]]:
    """All types as JSON objects."""
    return [problem_type.document(slug) for slug, problem_type in PROBLEM_TYPES.items()]


def index_page() -> str:
    """The list of all types, as HTML."""
    rows = [
        f'<tr><td><a href="{escape(str(each["type"]))}">{escape(str(each["title"]))}</a></td>'
        f"<td>{escape(str(each['meaning']))}</td></tr>"
        for each in problem_types()
    ]
    about = "<p>The errors of the API (RFC 9457). <code>type</code> links to a page below.</p>"
    return _page("Problems", f"{about}\n<table>\n{chr(10).join(rows)}\n</table>")


def type_page(slug: Slug, example: str) -> str:
    """The page of one type, as HTML. `example` is the JSON of its example."""
    document = PROBLEM_TYPES[slug].document(slug)
    statuses = ", ".join(map(str, PROBLEM_TYPES[slug].statuses))
    sections = [
        f'<p class="quiet">Status {statuses}</p>',
        f"<h2>What happened</h2>\n<p>{escape(str(document['meaning']))}</p>",
        f"<h2>What to do</h2>\n<p>{escape(str(document['remedy']))}</p>",
        f"<h2>Example</h2>\n<pre>{escape(example)}</pre>",
    ]
    return _page(str(document["title"]), "\n".join(sections))


def _page(title: str, content: str) -> str:
    links = "\n".join(
        f'<a href="{escape(str(each["type"]))}">{escape(str(each["title"]))}</a>'
        for each in problem_types()
    )
    main = f"<h1>{escape(title)}</h1>\n{content}"
    return _PAGE.format(title=escape(title), links=links, main=main)
