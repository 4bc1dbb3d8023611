# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine is compiled once, for the program that restores earlier states and for the keeper."""

from __future__ import annotations

import compileall
import importlib.util
import marshal
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint.archive import archive
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper_installation import compiled
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper_installation.host import KeeperHost
from ansible_collections.multihome.linux.tests.unit.plugins import specifications

CODE = {"__init__.py": "", "nat/__init__.py": "", "nat/one.py": "def one(): return 'before'\n"}
LIBRARY = "usr/lib/multihome"
# Counts what is compiled from its text, and prints that.
COUNTING = """\
import sys
counted = []
sys.addaudithook(lambda event, arguments: counted.append(str(arguments[1])) if event == "compile" else None)
sys.path.insert(0, sys.argv[1])
"""


@pytest.fixture(autouse=True)
def _as_on_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled code is beside its file; the tests themselves may have theirs elsewhere."""
    monkeypatch.setattr(sys, "pycache_prefix", None)


def installed(root: Path) -> Path:
    """Install and compile the texts; return the directory."""
    host = KeeperHost(str(root))
    for path, text in CODE.items():
        host.save(f"/{LIBRARY}/_core/{path}", text)
    host.compile(CODE)
    return root / LIBRARY


def run(library: Path, code: str) -> list[str]:
    """Run code with an engine in a process of its own; return the lines that it prints."""
    command = [sys.executable, "-I", "-c", COUNTING + code, str(library)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_program_and_the_keeper_need_one_compilation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def counted(text: str, path: str, *rest: Any, **options: Any) -> Any:
        done.append(path)
        return compile(text, path, *rest, **options)

    monkeypatch.setattr(compiled, "_compiled", {})
    monkeypatch.setattr(compiled, "compile", counted, raising=False)
    archive(CODE)
    installed(tmp_path)
    assert sorted(done) == sorted(f"_core/{path}" for path in CODE)
    # The control: another text is another code.
    archive({**CODE, "nat/one.py": "x = 1\n"})
    assert done[len(CODE) :] == ["_core/nat/one.py"]


def test_what_python_has_compiled_is_not_compiled_again(tmp_path: Path) -> None:
    engine = specifications.ROOT / "plugins" / "module_utils" / "_core"
    copy = tmp_path / "_core"
    shutil.copytree(engine, copy, ignore=shutil.ignore_patterns("__pycache__"))
    code = (
        "from _core.checkpoint.archive import archive\n"
        "from _core.keeper_installation.host import own_code\n"
        "archive(own_code())\n"
        "print(*(path for path in counted if '_core' in path), sep='\\n')\n"
    )
    first = run(tmp_path, code)
    assert len(first) == len(set(first)) > 100
    assert run(tmp_path, code) in ([], [""])
    # An edited file is compiled, and no other.
    with (copy / "nat" / "engine.py").open("a", encoding="utf-8") as file:
        file.write("\n# edited\n")
    assert run(tmp_path, code) == [str(copy / "nat" / "engine.py")]


def test_the_keeper_has_what_compileall_would_write(tmp_path: Path) -> None:
    library = installed(tmp_path)
    mine = {path: (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) for path in library.rglob("*.pyc")}
    assert len(mine) == len(CODE)
    for path in mine:
        path.unlink()
    assert compileall.compile_dir(library, quiet=2)
    theirs = {path: (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) for path in library.rglob("*.pyc")}
    assert mine.keys() == theirs.keys()
    for path, (content, mode) in mine.items():
        other, other_mode = theirs[path]
        assert (content[:16], mode) == (other[:16], other_mode)
        assert marshal.loads(content[16:]) == marshal.loads(other[16:])


def test_python_uses_it_until_the_file_changes(tmp_path: Path) -> None:
    library = installed(tmp_path)
    code = (
        "from _core.nat.one import one\n"
        "print(one(), one.__code__.co_filename, len([path for path in counted if '_core' in path]))"
    )
    file = library / "_core/nat/one.py"
    assert run(library, code) == [f"before {file} 0"]
    file.write_text("def one(): return 'edited'\n# and longer\n")
    assert run(library, code) == [f"edited {file} 1"]


def test_valid_code_stays_and_a_file_that_cannot_be_compiled_does_not_matter(tmp_path: Path) -> None:
    library = installed(tmp_path)
    path = Path(importlib.util.cache_from_source(str(library / "_core/nat/one.py")))
    before = path.stat().st_ino
    KeeperHost(str(tmp_path)).compile(CODE)
    assert path.stat().st_ino == before
    os.utime(library / "_core/nat/one.py", (1, 1))
    KeeperHost(str(tmp_path)).compile({**CODE, "missing.py": "", "__init__.py": "def"})
    assert path.stat().st_ino != before
