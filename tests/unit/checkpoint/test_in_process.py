# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process with the whole engine takes the checkpoint itself, in the same way as the program, which is not started."""

from __future__ import annotations

import contextlib
import functools
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core import confirm
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint import guard, in_process, process
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint.archive import own_version
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint.guard import Guard
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint.model import Scope, Status, name_files
from ansible_collections.multihome.linux.plugins.module_utils._core.confirm import ConfirmGuard, Refused
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import Busy, ReadFailed
from ansible_collections.multihome.linux.tests.unit.plugins import specifications

from .test_module_side import PROGRAM
from .test_program import imported
from .world import World

MODULE_UTILS = specifications.ROOT / "plugins" / "module_utils"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A host with a program of this version, which notes that it is started."""
    made = World(tmp_path)
    made.place.mkdir()
    made.installation.install(own_version(), PROGRAM.encode)
    parts = {"state": made.state, "timer": made.timer, "clock": made.clock, "installation": made.installation}
    monkeypatch.setattr(guard, "Guard", functools.partial(Guard, **parts))
    monkeypatch.setattr(guard, "exclusive", made.lock)
    return made


def module(world: World, run: str | None, scope: confirm.Scope | None = None, timeout: int = 60) -> ConfirmGuard:
    """The guard of a module."""
    option = {"run": run, "timeout": timeout} if run else None
    return ConfirmGuard(option, lambda _current: scope or {}, str(world.place), world.installation.path)


def started(world: World) -> bool:
    """Whether the program was started."""
    return (world.place / "asked").exists()


def test_the_process_arms_itself(world: World) -> None:
    module(world, "a", {"owners": [7]}).before_write("read")
    status = world.directory.status("a")
    assert status is not None
    assert (status.state, status.deadline, world.directory.pending()) == ("armed", 1060.0, "a")
    assert 7 in world.directory.load("a", "before.json")["scope"]["owners"]
    assert world.directory.processes("a") == [confirm.own_process()]
    assert world.timer.calls == ["start a 60", "boot unit"]
    assert not started(world)


def test_the_program_of_another_version_is_started(world: World) -> None:
    world.installation.install("other", PROGRAM.encode)
    module(world, "a").before_write("read")
    assert started(world)
    assert world.directory.state("a") == "none"


def test_modules_one_after_the_other_in_one_process_extend_the_deadline(world: World) -> None:
    for scope in ({"owners": [109]}, {"owners": [109]}, {"tables": ["other"]}):
        module(world, "a", scope).before_write("read")
        world.clock.time += 10
    status = world.directory.status("a")
    assert status is not None
    assert status.deadline == 1020.0 + 60
    assert world.timer.calls == ["start a 60", "boot unit"]
    # The second one changes nothing that is not recorded.
    [first, third] = world.state.calls
    assert first == "capture"
    assert "other" in third
    assert not started(world)


@pytest.mark.parametrize("is_held", [True, False])
def test_the_lock_is_taken_only_by_a_module_that_does_not_hold_it(world: World, is_held: bool) -> None:
    taken: list[bool] = []

    class State:
        """The state of the host, which asks for the lock when it is recorded."""

        def __getattr__(self, name: str) -> Any:
            taken.append(world.locked)
            return getattr(world.state, name)

    guard.Guard.keywords["state"] = State()  # type: ignore[attr-defined]  # the fixture has made a partial of it
    made = module(world, "a")

    @contextlib.contextmanager
    def lock() -> Iterator[int]:
        yield 3

    with made.holding(lock) if is_held else contextlib.nullcontext():
        made.before_write("read")
    assert taken
    assert set(taken) == {not is_held}


def test_another_run_is_refused(world: World) -> None:
    module(world, "a").before_write("read")
    for run in ("b", None):
        with pytest.raises(Busy, match=r"run a of ada .*; nothing was changed"):
            module(world, run).before_write("read")
    world.clock.time += 61
    with pytest.raises(Refused, match="the time to confirm run a is over"):
        module(world, "a").before_write("read")
    assert not started(world)


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (Busy("it waits"), Busy, "it waits"),
        (ReadFailed("cannot read"), Refused, "cannot read"),
        (OSError(28, "No space left on device"), Refused, "cannot take a checkpoint: No space left on device; nothing"),
        (KeyError("x"), Refused, "cannot take a checkpoint: KeyError: 'x'; nothing was changed"),
    ],
)
def test_errors_are_those_of_the_program(world: World, error: Exception, kind: type[Exception], text: str) -> None:
    world.timer.broken = error
    with pytest.raises(kind, match=text) as raised:
        module(world, "a").before_write("read")
    assert raised.type is kind
    # Nothing is left of it.
    assert (world.directory.pending(), world.directory.state("a")) == (None, "none")
    assert world.timer.calls[1:] == ["no boot unit", "stop a"]


def copy(files: Iterable[Path], to: Path) -> Path:
    """Copy files of the engine, and all its packages' own ones, below a directory."""
    engine = MODULE_UTILS / "_core"
    for file in (*files, *engine.rglob("__init__.py")):
        if engine in file.parents:
            new = to / file.relative_to(MODULE_UTILS)
            new.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, new)
    return to


def run(library: Path, code: str, *arguments: object) -> list[str]:
    """Run code with an engine in a process of its own; return the words that it prints."""
    start = "import json, sys; sys.path.insert(0, sys.argv[1]); "
    command = [sys.executable, "-c", start + code, str(library), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_a_module_that_ansible_sent_with_a_part_of_the_engine_starts_the_program(world: World, tmp_path: Path) -> None:
    code = (
        "from _core.confirm import ConfirmGuard; "
        "print(ConfirmGuard(None, program=sys.argv[2])._own_engine() is not None)"
    )
    sent = copy(imported(specifications.ROOT / "plugins" / "modules" / "ip_aliases.py"), tmp_path / "sent")
    assert run(sent, code, world.installation.path) == ["False"]
    # Also one that has the code to arm, and not all that the program has.
    most = copy((MODULE_UTILS / "_core").rglob("*.py"), tmp_path / "most")
    (most / "_core" / "nat" / "engine.py").unlink()
    assert run(most, code, world.installation.path) == ["False"]
    # The control.
    whole = copy((MODULE_UTILS / "_core").rglob("*.py"), tmp_path / "whole")
    assert run(whole, code, world.installation.path) == ["True"]


def test_an_extension_loads_nothing_that_reads_the_host(world: World) -> None:
    """It is most of the time that a checkpoint takes in a process that has not loaded it for another reason."""
    captured = {"scope": (Scope((109,)) | name_files([109])).as_json()}
    now = process.now()
    world.directory.make("a")
    world.directory.write_json("a", "before.json", captured)
    world.directory.save(Status("a", "armed", "ada", "T", now, now + 60, process.boot()))
    world.directory.set_pending("a")
    code = (
        "from _core.confirm import ConfirmGuard; option = json.loads(sys.argv[4]); "
        "made = ConfirmGuard(option, lambda _: {'owners': [109]}, sys.argv[2], sys.argv[3]); "
        "made._lock = 0; made.before_write(None); print(*sys.modules)"
    )
    option = json.dumps({"run": "a", "timeout": 300})
    loaded = set(run(MODULE_UTILS, code, world.place, world.installation.path, option))
    status = world.directory.status("a")
    assert status is not None
    assert status.deadline > now + 200
    assert not started(world)
    assert "_core.checkpoint.guard" in loaded
    assert not loaded & {"_core.checkpoint.host_state", "_core.checkpoint.timer", "_core.nat.engine"}


def test_the_version_is_computed_once(world: World) -> None:
    own_version.cache_clear()
    for _module in range(2):
        assert in_process.is_same_as(world.installation.path)
    assert own_version.cache_info()[:2] == (1, 1)
