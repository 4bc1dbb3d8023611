# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is killed while it changes the host: the keeper rolls it back, whatever step it had reached."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.store.change import Change

from .hosts import Host
from .world import FIRST, World

OLD = [{"id": 1001, "name": "unicom", "routes": [{"destination": "default", "gateway": "10.0.0.254"}]}]
NEW = [{"id": 1002, "name": "interlink", "routes": [{"destination": "default", "gateway": "10.0.0.253"}]}]
OLD_RULES = [{"priority": 23010, "source": "10.0.0.1", "table": 1001}]
NEW_RULES = [
    {"priority": 23020, "source": "10.0.0.2", "table": 1002},
    {"priority": 23030, "source": "10.0.0.3", "table": 1002},
]


class Killed(BaseException):
    """The run ends here, as by SIGKILL: nothing is cleaned up after it."""


def objects(host: Host) -> set[str]:
    """All routes and rules of the fake kernel."""
    return {repr(message) for kind in ("route", "rule") for message in host.fake.dump(kind)}


def kill_at(step: int, monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    """End the run at its request of this number, without rollback and without cleaning up."""
    sent, carry_out = [0], host.fake.carry_out

    def send(*arguments: Any) -> Any:
        sent[0] += 1
        if sent[0] == step:
            raise Killed
        return carry_out(*arguments)

    monkeypatch.setattr(host.fake, "carry_out", send)


def without_cleaning_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing run that a killed process does not run any more."""
    monkeypatch.setattr(Change, "discard", lambda _self: None)
    module = "ansible_collections.multihome.linux.plugins.module_utils._core.rollback"
    monkeypatch.setattr(f"{module}.restored", lambda *_arguments: [])


@pytest.mark.parametrize("step", range(1, 8))
def test_a_killed_run_is_rolled_back(tmp_path: Path, step: int) -> None:
    world = World(tmp_path)
    world.host.aliases([FIRST])
    world.host.routing(OLD, OLD_RULES)
    before = objects(world.host)
    with pytest.MonkeyPatch.context() as patch:
        without_cleaning_up(patch)
        kill_at(step, patch, world.host)
        with contextlib.suppress(Killed):
            world.host.routing(NEW, NEW_RULES, purge=True)
    stored = world.host.stored("policy_routing")
    world.fresh().check({"files"})
    after = objects(world.host)
    if stored["rules"][0]["priority"] == 23010:
        assert after == before
    else:
        assert after != before  # it was complete
    assert not list(Path(world.host.directories[1]).glob("journal.*"))


def test_control_without_the_journal_the_objects_of_a_killed_run_stay(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.host.routing(OLD, OLD_RULES)
    before = objects(world.host)
    with pytest.MonkeyPatch.context() as patch:
        without_cleaning_up(patch)
        kill_at(3, patch, world.host)
        with pytest.raises(Killed):
            world.host.routing(NEW, NEW_RULES, purge=True)
    for journal in Path(world.host.directories[1]).glob("journal.*"):
        journal.unlink()
    world.fresh().check({"files"})
    assert objects(world.host) > before


@pytest.mark.parametrize("spoil", [lambda _text: "{", lambda text: text.replace("policy_routing", "firewalls")])
def test_a_journal_that_cannot_be_read_is_named_and_stops_nothing(
    tmp_path: Path, spoil: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(tmp_path)
    world.host.routing(OLD, OLD_RULES)
    before = objects(world.host)
    with pytest.MonkeyPatch.context() as patch:
        without_cleaning_up(patch)
        kill_at(2, patch, world.host)
        with pytest.raises(Killed):
            world.host.routing(NEW, NEW_RULES, purge=True)
    [journal] = Path(world.host.directories[1]).glob("journal.*")
    journal.write_text(spoil(journal.read_text()))
    world.fresh().check({"files"})
    assert objects(world.host) >= before
    assert "could not be rolled back" in "".join(capsys.readouterr())
