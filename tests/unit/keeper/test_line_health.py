# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper and the lines' health: when it watches what, and what follows from the stored files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.health import drained, flows
from ansible_collections.multihome.linux.plugins.module_utils._core.health.drained import Drained
from ansible_collections.multihome.linux.plugins.module_utils._core.health.line_state import DOWN, UP, LineHealth
from ansible_collections.multihome.linux.plugins.module_utils._core.health.usable_lines import Usable, usable
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper import line_health
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.line_health import LineHealth as Health
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.stored_states import States

LINES = [
    {"name": "a", "id": 1, "addresses": ["203.0.113.10"], "gateways": ["203.0.113.1"]},
    {"name": "b", "id": 2, "addresses": ["198.51.100.20"], "gateways": ["198.51.100.1"]},
]
NOON = drained.moment_of("2026-01-31T12:00:00Z")


class FakeService:
    """A service whose judgement a test sets."""

    def __init__(self, lines: Sequence[Any]) -> None:
        self.lines = list(lines)
        self.dead: set[str] = set()
        self.out = {line.name: line.drained for line in lines}
        self.failed: BaseException | None = None
        self.stopped = False
        self.loop = self

    def set_drained(self, name: str, drained: bool) -> None:
        """Take a line out of service, or back."""
        self.out[name] = drained

    def states(self) -> list[LineHealth]:
        """What is known of the lines."""
        return [
            LineHealth(line.name, 4, DOWN if line.name in self.dead else UP, "", 0.0, drained=self.out[line.name])
            for line in self.lines
        ]

    def usable(self, family: int) -> Usable:
        """The usable lines of a family."""
        return usable(self.states()) if family == 4 else Usable(())

    def stop(self) -> None:
        """End."""
        self.stopped = True


class Site:
    """Stored files, and the keeper's part that watches lines."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.now, self.today = 1000.0, NOON
        self.services: list[FakeService] = []
        self.fails = False
        self.states = States(str(directory), {})
        self.health = Health(lambda: None, self._start, lambda: self.today)

    def _start(self, lines: Sequence[Any], _wake: Callable[[], None]) -> Any:
        if self.fails:
            raise OSError(24, "Too many open files")
        self.services.append(FakeService(lines))
        return self.services[-1]

    def store(self, name: str, text: str) -> None:
        """Replace a stored file."""
        new = self.directory / f".{name}.new"
        new.write_text(text)
        new.chmod(0o600)
        new.replace(self.directory / f"{name}.json")

    def lines(self, *lines: Any) -> None:
        """Store these lines."""
        self.store("lines", json.dumps({"version": 1, "kind": "lines", "lines": lines or LINES}))

    def update(self) -> list[str]:
        """Have the files read; return what is refused."""
        states = self.states.reload()
        self.health.update(states, self.now)
        return [f"{state.file}: {state.fault}" for state in states if state.fault]

    @property
    def service(self) -> FakeService:
        """The service that was started last."""
        return self.services[-1]

    def usable(self) -> tuple[str, ...]:
        """The lines that may carry IPv4."""
        observed = self.health.observed
        assert observed is not None
        return observed.usable[4].lines


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_without_stored_lines_nothing_is_watched_and_nothing_of_it_is_loaded(site: Site) -> None:
    assert site.update() == []
    assert (site.health.observed, site.services, site.health.next_time) == (None, [], float("inf"))
    # A new process: here the tests have loaded it.
    code = "import sys; sys.path.insert(0, sys.argv[1]); from _core.keeper import main; print(*sys.modules)"
    library = Path(line_health.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(library)], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert "_core.keeper.line_health" in done.stdout.split()
    assert [name for name in done.stdout.split() if name.startswith("_core.health.")] == []


def test_stored_lines_are_watched_and_the_same_file_starts_nothing_again(site: Site) -> None:
    site.lines()
    assert site.update() == []
    assert [line.name for line in site.service.lines] == ["a", "b"]
    first = site.health.observed
    site.update()
    assert site.health.observed is first
    site.service.dead = {"a"}
    site.update()
    assert site.usable() == ("b",)
    assert len(site.services) == 1


def test_a_changed_file_is_watched_by_a_new_service(site: Site) -> None:
    site.lines()
    site.update()
    site.lines(LINES[0])
    site.update()
    assert site.services[0].stopped
    assert [line.name for line in site.service.lines] == ["a"]


def test_without_lines_any_more_everything_is_as_wanted_again(site: Site) -> None:
    site.lines()
    site.update()
    (site.directory / "lines.json").unlink()
    site.update()
    assert site.services[0].stopped
    observed = site.health.observed
    assert observed is not None
    assert ([line.name for line in observed.lines], observed.usable) == (["a", "b"], {})


@pytest.mark.parametrize("text", ["nonsense", '{"version": 1, "kind": "lines", "lines": [{"name": "a"}]}'])
def test_a_broken_file_is_named_and_the_known_lines_stay_watched(site: Site, text: str) -> None:
    site.lines()
    site.update()
    site.store("lines", text)
    [fault] = site.update()
    assert fault.startswith("lines.json: ")
    assert not site.service.stopped
    assert site.usable() == ("a", "b")
    site.lines(LINES[1])
    assert site.update() == []
    assert [line.name for line in site.service.lines] == ["b"]


def test_drained_by_command_and_by_declaration(site: Site) -> None:
    site.lines(LINES[0], {**LINES[1], "drained": True})
    site.update()
    assert site.service.out == {"a": False, "b": True}
    drained.write([Drained("a"), Drained("b")], str(site.directory))
    site.update()
    assert site.service.out == {"a": True, "b": True}
    drained.write([], str(site.directory))
    site.update()
    assert site.service.out == {"a": False, "b": True}
    assert len(site.services) == 1


def test_a_new_keeper_knows_which_lines_are_drained(site: Site) -> None:
    drained.write([Drained("a")], str(site.directory))
    site.lines()
    site.update()
    assert [line.drained for line in site.service.lines] == [True, False]


def test_a_drained_line_comes_back_when_its_time_has_passed(site: Site) -> None:
    drained.write([Drained("a", until="2026-01-31T12:00:10Z")], str(site.directory))
    site.lines()
    site.update()
    assert site.health.next_time == site.now + 10
    site.now, site.today = site.health.next_time, site.today + 10
    site.update()
    assert site.service.out == {"a": False, "b": False}
    assert site.health.next_time == float("inf")


def test_the_clock_on_the_wall_is_looked_at_now_and_then(site: Site) -> None:
    drained.write([Drained("a", until="2026-02-28T12:00:00Z")], str(site.directory))
    site.lines()
    site.update()
    assert site.health.next_time <= site.now + 30


def test_watching_that_cannot_start_is_tried_again(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.fails = True
    site.lines()
    site.update()
    assert "the lines' health is not watched" in capsys.readouterr().err
    site.fails = False
    site.update()
    assert site.services == []
    site.now = site.health.next_time
    site.update()
    assert site.usable() == ("a", "b")


def test_watching_that_failed_starts_again_and_the_routes_stay_meanwhile(site: Site) -> None:
    site.lines()
    site.update()
    site.service.dead = {"a"}
    site.service.failed = OSError(1, "no netlink")
    site.update()
    assert site.usable() == ("b",)
    site.now = site.health.next_time
    site.update()
    assert len(site.services) == 2


def test_connections_over_a_dead_line_end_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[Any] = []

    def end(dead: Any, _lines: Any) -> dict[str, int]:
        ended.append([(line.name, family) for line, family in dead])
        return {}

    monkeypatch.setattr(flows, "end_flows", end)
    site.lines()
    site.update()
    site.health.end_flows()
    site.service.dead = {"a"}
    site.update()
    site.health.end_flows()
    site.health.end_flows()
    assert ended == [[], [("a", 4)], []]
    # With every line dead nobody could take them.
    site.service.dead = {"a", "b"}
    site.update()
    site.health.end_flows()
    assert ended[-1] == []
