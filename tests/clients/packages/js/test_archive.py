"""The archive of the package: its files, its installation, and the types of the examples."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.clients.packages.js.archive import GUIDE, PACKAGE, README, run
from tests.clients.packages.js.page_server import FOLDER
from tests.support.fenced import fenced
from tests.support.programs import NODE_MODULES, needed

pytestmark = [pytest.mark.io, pytest.mark.timeout(120)]

STRICT = {
    "strict": True,
    "noEmit": True,
    "jsx": "react-jsx",
    "module": "nodenext",
    "target": "es2022",
    "lib": ["es2022", "dom", "dom.iterable"],
    "types": [],
}


def compile_types(folder: Path, files: dict[str, str], **options: object) -> str:
    """Check the types of files in a project. Returns the errors."""
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": STRICT | options}))
    compiler = (needed("node"), NODE_MODULES / "typescript/bin/tsc", "--project", folder)
    done = subprocess.run(compiler, capture_output=True, text=True, timeout=100, check=False)
    return done.stdout + done.stderr


def test_the_archive_has_the_sources_the_types_and_the_license(archive: Path) -> None:
    with tarfile.open(archive) as packed:
        names = {name.removeprefix("package/") for name in packed.getnames()}
    sources = {path.relative_to(PACKAGE).as_posix() for path in (PACKAGE / "src").iterdir()}
    assert names == sources | {"package.json", "README.md", "LICENSE"}


def test_an_installed_package_exports_its_three_entries(project: Path) -> None:
    script = """
      const { Headrace } = await import("headrace");
      const { useHeadrace } = await import("headrace/react");
      const { followTransaction } = await import("headrace/transactions");
      const inner = await import("headrace/src/source.js").catch(({ code }) => code);
      console.log(typeof Headrace, typeof useHeadrace, typeof followTransaction, inner);
    """
    shown = run([needed("node"), "--input-type=module", "--eval", script], project)
    assert shown.split() == [*["function"] * 3, "ERR_PACKAGE_PATH_NOT_EXPORTED"]
    installed = json.loads((project / "package-lock.json").read_text())["packages"]
    assert set(installed) == {"", "node_modules/headrace"}, "it has no dependencies"


def test_the_examples_have_correct_types(project: Path) -> None:
    found = [*fenced(README, "js"), *fenced(README, "jsx"), *fenced(GUIDE, "js")]
    assert len(found) == 6
    files = {f"example-{number}.jsx": block.text for number, block in enumerate(found)}
    options = {"allowJs": True, "checkJs": True, "noImplicitAny": False}
    assert compile_types(project / "examples", files, **options) == ""


USES = """
import { Headrace, type HeadraceEvent } from "headrace";
import { useHeadrace } from "headrace/react";
import { followTransaction, prepareTransaction } from "headrace/transactions";

const headrace = new Headrace({ users: ["G"], streams: 7, token: async () => "t" });
const show = (event: HeadraceEvent): string | null =>
  event.type === "stream.withdrawn" ? event.stream?.withdrawnAmount ?? null : event.streamId;
headrace.on("event", show);
const { streams, lag }: { streams: readonly { id: string }[]; lag: number | null } = useHeadrace();
const made = prepareTransaction({ url: "https://h" }, { action: "pause", streamId: "7" });
made.then(({ hash }) => followTransaction({}, hash)).then(({ error }) => error?.code);
"""

WRONG_USES = {
    "new Headrace({ user: 7 });": "'number' is not assignable to type 'string'",
    "useHeadrace({}).streams[0].amount;": "'amount' does not exist on type 'Stream'",
    'headrace.on("evnt", () => {});': "No overload matches this call",
    "useHeadrace({}).streams.push();": "'push' does not exist",
    "useHeadrace({ types: [] });": "'types' does not exist",
    'prepareTransaction({}, { action: "top_up", streamId: "7" });': "not assignable to parameter",
    'followTransaction({}, "").then(({ status }) => status === "sent");': "have no overlap",
}


def test_wrong_uses_are_errors_of_types_and_right_ones_are_not(project: Path) -> None:
    wrong = {f"wrong-{n}.ts": USES + use for n, use in enumerate(WRONG_USES)}
    shown = compile_types(project / "uses", {"right.ts": USES} | wrong)
    lines = sorted(line for line in shown.splitlines() if "error TS" in line)
    assert len(lines) == len(wrong), shown
    for number, (line, expected) in enumerate(zip(lines, WRONG_USES.values(), strict=True)):
        assert f"wrong-{number}.ts" in line
        assert expected in line


def test_on_a_server_the_hook_renders_empty_lists_and_does_nothing(project: Path) -> None:
    shutil.copy(FOLDER / "server.mjs", project / "server.mjs")
    html = run([needed("node"), "server.mjs"], project)
    assert html == (
        "<pre>{&quot;streams&quot;:[],&quot;events&quot;:[],&quot;state&quot;:&quot;connecting"
        "&quot;,&quot;lag&quot;:null,&quot;error&quot;:null}</pre>"
    )
