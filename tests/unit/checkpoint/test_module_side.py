# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module with the option confirm: what it costs, what it refuses by itself, and its exchange with the program."""

from __future__ import annotations

import ast
import contextlib
import functools
import io
import json
import stat
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core import confirm
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint.archive import archive, digest
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint.installation import Installation
from ansible_collections.multihome.linux.plugins.module_utils._core.confirm import ConfirmGuard, Refused
from ansible_collections.multihome.linux.plugins.module_utils._core.confirm_gate import guard_of
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import (
    Busy,
    InvalidInput,
    ReadFailed,
    Unsupported,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.lock import exclusive
from ansible_collections.multihome.linux.tests.unit.plugins import specifications

from .test_program import imported

OPTION = {"run": "a", "timeout": 60}
# At least so many bytes of each module are Ansible's own files, with ansible-core 2.19 and later.
ANSIBLES_PART = 120_000
CODE = specifications.ROOT / "plugins" / "module_utils" / "_core"
# Answers as a program does, and leaves what it was asked.
PROGRAM = """\
import fcntl, json, os, sys
request = json.load(sys.stdin)
place, held = sys.argv[2], None
if len(sys.argv) > 3:
    other = os.open(os.path.join(place, "lock"), os.O_RDWR)
    fcntl.flock(int(sys.argv[3]), fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held = True
with open(os.path.join(place, "asked"), "w") as file:
    json.dump([sys.argv[1], request, held], file)
answer = os.path.join(place, "answer")
if os.path.exists(answer):
    print(open(answer).read())
    sys.exit(1)
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory of checkpoints, with a program in it."""
    (tmp_path / "program").write_text(PROGRAM)
    return tmp_path


def guard(place: Path, option: dict[str, object] | None, scope: confirm.Scope | None = None) -> ConfirmGuard:
    """The guard of a module."""
    return ConfirmGuard(option, lambda _current: scope or {}, str(place), str(place / "program"))


@contextlib.contextmanager
def locked(place: Path) -> Iterator[int]:
    """Hold the lock."""
    with exclusive(str(place / "lock")) as descriptor:
        yield descriptor


def asked(place: Path) -> list[object]:
    """What the program was asked."""
    return list(json.loads((place / "asked").read_text()))


def test_a_run_with_nothing_to_do_looks_at_one_path(tmp_path: Path) -> None:
    opened: list[str] = []

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event in ("open", "os.listdir", "subprocess.Popen") and str(tmp_path) in str(arguments[0]):
            opened.append(str(arguments[0]))

    watching = True
    sys.addaudithook(note)
    guard(tmp_path, OPTION).begin()
    assert opened == [str(tmp_path / "a" / "status.json")]
    guard(tmp_path, None).begin()
    guard(tmp_path, {"run": "a", "timeout": 0}).begin()
    watching = False
    assert len(opened) == 1


def test_without_the_option_and_without_a_pending_run_nothing_is_started(place: Path) -> None:
    for option in (None, {"run": "", "timeout": 0}):
        guard(place, option).before_write("read")
    assert not (place / "asked").exists()
    # The control.
    (place / "pending").symlink_to("other")
    guard(place, None).before_write("read")
    assert asked(place)[1] == {"confirm": None, "scope": {}, "process": list(confirm.own_process())}


def test_the_program_gets_the_request_and_the_lock(place: Path) -> None:
    made = guard(place, OPTION, {"owners": (109,), "tables": ("other",)})
    with made.holding(lambda: locked(place)):
        made.before_write("read")
    request = {"confirm": OPTION, "scope": {"owners": [109], "tables": ["other"]}}
    assert asked(place) == ["arm", {**request, "process": list(confirm.own_process())}, True]
    # The control: a module under another lock leaves it to the program.
    made.before_write("read")
    assert asked(place)[2] is None


def test_a_run_without_the_option_asks_only_where_another_run_waits(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = functools.partial(ConfirmGuard, place=str(place), program=str(place / "program"))
    monkeypatch.setattr(confirm, "ConfirmGuard", made)

    def writes(option: dict[str, object] | None) -> None:
        gate = guard_of(option, lambda _current: {"owners": [109]})
        gate.begin()
        with gate.holding(lambda: locked(place)):
            gate.before_write("read")

    writes(None)
    assert not (place / "asked").exists()
    (place / "pending").symlink_to("other")
    for option in (None, OPTION):
        writes(option)
        process = list(confirm.own_process())
        assert asked(place) == ["arm", {"confirm": option, "scope": {"owners": [109]}, "process": process}, True]


@pytest.mark.parametrize(("kind", "error"), [("Busy", Busy), ("Refused", Refused), ("ReadFailed", Refused)])
def test_the_program_can_refuse(place: Path, kind: str, error: type[Exception]) -> None:
    (place / "answer").write_text(json.dumps({"kind": kind, "message": "run b waits"}))
    with pytest.raises(error, match="run b waits"):
        guard(place, OPTION).before_write("read")


def test_without_the_program_nothing_is_changed(place: Path) -> None:
    (place / "program").unlink()
    with pytest.raises(Unsupported, match="install it with commit_confirm, state: present; nothing was changed"):
        guard(place, OPTION).before_write("read")
    guard(place, OPTION).begin()


def test_a_program_that_fails_is_named(place: Path) -> None:
    (place / "program").write_text("raise SystemError('broken')")
    with pytest.raises(Refused, match="program: SystemError: broken; nothing was changed; install the program again"):
        guard(place, OPTION).before_write("read")


def test_a_program_that_hangs_changes_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirm, "_PATIENCE", 0.5)
    (place / "program").write_text("import time; time.sleep(60)")
    with pytest.raises(Refused, match=r"cannot take a checkpoint: .* timed out .*; nothing was changed"):
        guard(place, OPTION).before_write("read")


@pytest.mark.parametrize(("state", "how"), [("reverted", "were reverted at T"), ("failed", "could not be reverted")])
def test_a_reverted_run_is_refused_before_it_reads_anything(place: Path, state: str, how: str) -> None:
    (place / "a").mkdir()
    (place / "a" / "status.json").write_text(json.dumps({"state": state, "ended_at": "T"}))
    with pytest.raises(Refused, match=f"the changes of run a {how}"):
        guard(place, OPTION).begin()


def test_a_module_of_an_armed_run_is_noted(place: Path) -> None:
    (place / "a").mkdir()
    (place / "a" / "status.json").write_text(json.dumps({"state": "armed", "ended_at": ""}))
    guard(place, OPTION).begin()
    number, start = confirm.own_process()
    assert (place / "a" / f"process-{number}-{start}").exists()


def test_a_status_that_cannot_be_read_is_reported(place: Path) -> None:
    (place / "a").mkdir()
    (place / "a" / "status.json").write_text("{}")
    with pytest.raises(ReadFailed, match=r"cannot read .*status.json"):
        guard(place, OPTION).begin()


def test_a_run_is_a_name() -> None:
    with pytest.raises(InvalidInput, match="use 1 to 64"):
        ConfirmGuard({"run": "../x", "timeout": 60})


def test_the_program_is_installed_once_and_a_checkpoint_keeps_its_own(tmp_path: Path) -> None:
    installation = Installation(str(tmp_path / "programs" / "confirm-1"))
    assert installation.version() is None
    installation.install("one", lambda: b"1")
    assert installation.version() == "one"
    checkpoint = tmp_path / "revert.pyz"
    installation.link_to(str(checkpoint))
    installation.install("two", lambda: b"2")
    assert (installation.version(), checkpoint.read_bytes()) == ("two", b"1")
    assert sorted(path.name for path in (tmp_path / "programs").iterdir()) == ["confirm-1", "two.pyz"]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "programs").iterdir()}
    assert modes == {"confirm-1": 0o600, "two.pyz": 0o600}
    assert stat.S_IMODE((tmp_path / "programs").stat().st_mode) == 0o700
    installation.remove()
    assert not installation.exists()


def test_the_version_is_that_of_the_texts(tmp_path: Path) -> None:
    code = {"__init__.py": "", "checkpoint/__init__.py": "", "checkpoint/main.py": "def main(a, b): return 7\n"}
    assert digest(code) == digest(dict(reversed(list(code.items()))))
    assert digest(code) != digest({**code, "__init__.py": " "})
    program = tmp_path / "program.pyz"
    program.write_bytes(archive(code))
    assert started(program) == 7
    # Another Python does not know the compiled code, and reads the text.
    with zipfile.ZipFile(program, "w") as file:
        file.writestr("__main__.py", zipfile.ZipFile(io.BytesIO(archive(code))).read("__main__.py"))
        for path, text in code.items():
            file.writestr(f"_core/{path}", text)
            file.writestr(f"_core/{path}c", b"other magic, and more than sixteen bytes")
    assert started(program) == 7


def started(program: Path) -> int:
    """Start a program, and return its exit status."""
    return subprocess.run([sys.executable, "-I", str(program), "x"], check=False).returncode


# The keeper's installation is the whole engine, and role_steps stays on the controller.
OTHERS = ("keeper", "role_steps")
CHANGING = [n for n, m in specifications.modules().items() if "confirm" in m.ARGUMENT_SPEC and n not in OTHERS]


@pytest.mark.parametrize("name", CHANGING)
def test_what_ansible_sends_for_a_module_does_not_grow(name: str) -> None:
    """No engine of another module is in it, and the exchange with the program is less than 2 % of it."""
    sent = imported(specifications.ROOT / "plugins" / "modules" / f"{name}.py")
    assert not [path for path in sent if "checkpoint" in path.parts]
    mine = packed([CODE / "confirm.py"])
    assert mine <= (ANSIBLES_PART + packed(sent)) * 0.02, (mine, packed(sent))


def packed(paths: Iterable[Path]) -> int:
    """How many bytes files take when they are compressed."""
    return sum(len(zlib.compress(path.read_bytes())) for path in paths)


def test_the_side_of_the_modules_loads_no_program_before_it_is_needed() -> None:
    tree = ast.parse((CODE / "confirm.py").read_text())
    loaded = [alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names]
    assert "subprocess" not in loaded
