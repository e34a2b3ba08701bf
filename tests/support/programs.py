"""Finds programs and packages of npm. Without them a test is skipped, or fails in CI."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

NODE_MODULES = Path(__file__).parents[1] / "clients/node_modules"
_PLACES = (str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin")


def needed(program: str) -> str:
    """The path of a program: beside this Python, on PATH or in /usr/sbin."""
    path = shutil.which(program, path=os.pathsep.join(_PLACES))
    if path is None:
        _missing(program)
    return path


def needed_package(name: str) -> Path:
    """The folder of a package of npm that the tests of clients use."""
    if not (folder := NODE_MODULES / name).is_dir():
        _missing(f"the npm package {name}")
    return folder


@cache
def nginx_with_stream() -> str:
    """The path of an nginx that has the module `stream`, in itself or in a file (Debian)."""
    nginx = needed("nginx")
    built = subprocess.run([nginx, "-V"], capture_output=True, text=True, check=True).stderr
    dynamic = re.search(r"--modules-path=(\S+).*--with-stream=dynamic", built)
    if dynamic and not Path(dynamic[1], "ngx_stream_module.so").exists():
        _missing("the module stream of nginx")
    return nginx


@cache
def c_compiler() -> str:
    """The path of a C compiler that has the headers of zlib."""
    compiler = needed("cc")
    probe = [compiler, "-E", "-include", "zlib.h", "-x", "c", os.devnull]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        _missing("the headers of zlib")
    return compiler


def _missing(what: str) -> NoReturn:
    message = f"{what} is missing: .ci/run and the Makefile tell how to install it"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def loopback() -> str:
    """The first three numbers of a loopback network for this process only, such as `127.81.7`.

    With it services can use the same ports as in production. Linux answers on all of 127/8.
    """
    return f"127.{64 + os.getpid() // 250 % 128}.{1 + os.getpid() % 250}"
