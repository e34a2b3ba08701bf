"""The README keeps its word: every setting is in it, and every file it links to exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.api.settings import ApiSettings
from services.archiver.settings import ArchiverSettings
from services.fanout.settings import FanoutSettings
from services.indexer.settings import IndexerSettings
from services.webhooks.settings import DispatcherSettings
from shared.journal.settings import CommonSettings
from tests.support.fenced import ROOT, fenced, outside

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "settings",
    [ApiSettings, ArchiverSettings, DispatcherSettings, FanoutSettings, IndexerSettings],
)
def test_every_setting_stands_in_the_readme_with_its_default_and_meaning(
    settings: type[CommonSettings],
) -> None:
    for name, field in settings.model_fields.items():
        default = field.default
        shown = ",".join(default) if isinstance(default, tuple) else str(default)
        shown = "`required`" if field.is_required() else f"`{shown}`" if shown else ""
        row = f"| `{name.upper()}` | {shown} | {field.description} |"
        assert row in README, f"the README lacks this row, or has it otherwise:\n{row}"


PAGES = sorted(
    str(path.relative_to(ROOT))
    for folder in (".", "docs", "docs/clients", "docs/guides", "docs/operations", "clients/*")
    for path in ROOT.glob(f"{folder}/*.md")
)


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = outside(path.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", text):
        if not target.startswith(("https://", "http://")):
            path = (ROOT / page).parent / target if target else ROOT / page
            assert path.exists(), target
            assert not anchor or anchor in anchors(path), f"{target}#{anchor}"


def test_every_page_of_operations_is_listed() -> None:
    text = (ROOT / "docs/operations/README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"\]\(([\w-]+\.md)\)", text))
    assert listed == {p.name for p in ROOT.glob("docs/operations/*.md")} - {"README.md"}


def test_the_folders_it_names_exist() -> None:
    for folder in re.findall(r"^\| `([a-z/]+/)` \|", README, re.M):
        assert (ROOT / folder).is_dir(), folder


DECISIONS = sorted(ROOT.glob("docs/decisions/[0-9]*.md"))
CODE = ("shared", "services", "deploy", "clients")


def _code_of(decision: Path) -> list[str]:
    """The files that a decision names as those that carry it out; none if it is superseded."""
    text = decision.read_text(encoding="utf-8")
    line = re.search(r"^\* Code: (.+)$", text, re.M)
    if _is_superseded(text):
        assert not line, f"{decision.name} is superseded, so no code carries it out"
        return []
    assert line, f"{decision.name} lacks its line of code"
    return re.findall(r"\]\(\.\./\.\./([^)]+)\)", line[1])


def _is_superseded(text: str) -> bool:
    return "* Status: superseded by [" in text


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_parts_and_is_listed(decision: Path) -> None:
    text = decision.read_text(encoding="utf-8")
    number = int(decision.name[:4])
    assert re.match(rf"# {number}\. \S", text)
    assert re.search(r"^\* Status: \S", text, re.M)
    assert re.findall(r"^## (.+)$", text, re.M) == ["Context", "Decision", "Consequences"]
    assert _code_of(decision) or _is_superseded(text), "a decision names its code"
    assert f"]({decision.name})" in (decision.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/decisions/*.md")), ids=lambda p: p.stem)
def test_links_of_decisions_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_glossary_is_in_alphabetical_order_and_its_classes_exist() -> None:
    page = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    terms = [term.casefold() for term in re.findall(r"^\| (.+?) \| .+ \| \[", page, re.M)]
    assert len(terms) > 50
    assert terms == sorted(set(terms))
    for module, name in re.findall(r"\]\(\.\./([a-z0-9_/]+\.py)\) `(\w+)`", page):
        text = (ROOT / module).read_text(encoding="utf-8")
        assert re.search(rf"^class {name}\b", text, re.M), f"{module} has no class {name}"


def _folders_of_the_tree() -> set[str]:
    """The folders in the tree of docs/architecture.md, by their indentation of two spaces."""
    texts = [block.text for block in fenced("docs/architecture.md")]
    (tree,) = [text for text in texts if text.startswith("shared/")]
    found: set[str] = set()
    above: list[str] = []
    for indent, name in re.findall(r"^( *)([a-z_/]+)/ {2,}\S", tree, re.M):
        above = [*above[: len(indent) // 2], name]
        found.add("/".join(above))
    return found


def test_the_tree_in_the_architecture_has_every_package() -> None:
    parts = (ROOT / "shared", ROOT / "services", ROOT / "deploy/local", ROOT / "deploy/simulator")
    packages = {
        str(path.parent.relative_to(ROOT)) for part in parts for path in part.rglob("__init__.py")
    }
    inside_the_simulator = {name for name in packages if name.startswith("deploy/simulator/")}
    assert _folders_of_the_tree() >= packages - inside_the_simulator - {"services"}
    assert all((ROOT / name).is_dir() for name in _folders_of_the_tree())


def _decisions_in(path: Path) -> set[str]:
    """The names of the decisions that a file of code or of tests refers to."""
    text = path.read_text(encoding="utf-8")
    return set(re.findall(r"docs/decisions/([0-9]{4}-[a-z0-9-]+\.md)", text))


def test_code_and_decisions_link_to_each_other() -> None:
    """A decision names its modules, and each of these (Python and Lua) names the decision."""
    code = {
        str(path.relative_to(ROOT)): _decisions_in(path)
        for part in (*CODE, "tests")
        for ending in ("py", "lua")
        for path in (ROOT / part).rglob(f"*.{ending}")
        if "node_modules" not in path.parts
    }
    of_code = {(name, decision) for name, found in code.items() for decision in found}
    of_decisions = {
        (name, decision.name)
        for decision in DECISIONS
        for name in _code_of(decision)
        if name.endswith((".py", ".lua"))
    }
    assert of_code == of_decisions
