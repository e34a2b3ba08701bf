"""Loads Lua scripts. Each script is a `.lua` file beside the module that runs it.

See docs/decisions/0061-lua-scripts-are-files.md.
"""

from __future__ import annotations

from importlib.resources import files


def load_script(package: str, name: str) -> str:
    """The text of the script `name` (without `.lua`) in a package. Works in a wheel too."""
    return files(package).joinpath(f"{name}.lua").read_text(encoding="utf-8")
