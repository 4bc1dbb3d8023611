# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forecasts of a plan, on a fake kernel."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import ApplyFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.host import programs
from ansible_collections.multihome.linux.plugins.module_utils._core.host_plan import kinds, plan
from ansible_collections.multihome.linux.plugins.module_utils._core.host_plan.plan import Forecast, forecast, parse_plan
from ansible_collections.multihome.linux.plugins.module_utils._core.plan import Action, Part, Plan
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.executor import Executor


class FakeEngine:
    """An engine with so many actions, or one that fails."""

    def __init__(self, count: int) -> None:
        self._count = count

    def read(self) -> None:
        """There is nothing to read."""
        if self._count < 0:
            raise ApplyFailed("read", "broken")

    def plan(self, _current: None) -> Plan[Part]:
        """Return as many actions as asked for."""
        return Plan(tuple(Action("add", Part(str(number))) for number in range(self._count)), (), ())


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The number of actions by kind, none at first."""
    found: dict[str, int] = {}
    for name, kind in kinds.KINDS.items():
        monkeypatch.setitem(kinds.KINDS, name, replace(kind, make=functools.partial(_fake, found, name)))
    return found


def _fake(counts: dict[str, int], name: str, _options: object) -> FakeEngine:
    return FakeEngine(counts.get(name, 0))


def forecasts() -> dict[str, Forecast]:
    """The forecasts of a plan of all kinds by name, with nothing to store."""
    given: dict[str, dict[str, list[str]]] = {
        name: {option: [] for option in kind.required} for name, kind in kinds.KINDS.items()
    }
    return {one.module: one for one in forecast(parse_plan(given), Executor())}


def pending() -> list[str]:
    return [name for name, one in forecasts().items() if one.pending]


def test_on_a_host_as_desired_nothing_is_pending(counts: dict[str, int]) -> None:
    assert counts == {}
    assert pending() == []


@pytest.mark.parametrize(
    ("changing", "expected"),
    [
        ("nat_rules", ["nat_rules"]),
        ("keeper", ["keeper"]),
        ("policy_routing", ["policy_routing"]),
        # Gateways answer only once the host has an address, and routes go with a removed one.
        ("ip_aliases", ["ip_aliases", "connection_marks", "policy_routing"]),
        ("kernel_parameters", ["kernel_parameters", "ip_aliases", "connection_marks", "policy_routing"]),
    ],
)
@pytest.mark.parametrize("count", [1, -1])
def test_a_module_is_pending_for_its_own_changes_and_after_those_that_disturb_it(
    counts: dict[str, int], changing: str, expected: list[str], count: int
) -> None:
    counts[changing] = count
    assert pending() == expected
    assert forecasts()[changing].error.startswith("read: broken" if count < 0 else "")
    assert bool(forecasts()[changing].error) is (count < 0)


def test_of_many_changes_the_first_are_shown_and_all_are_counted(counts: dict[str, int]) -> None:
    counts["nat_rules"] = 1000
    found = forecasts()["nat_rules"].as_result()
    assert (found["count"], len(found["actions"])) == (1000, 20)
    assert found["actions"][0] == {"op": "add", "object": {"table": "0"}}


def test_a_program_runs_once_for_equal_arguments_within_one_look(tmp_path: Path) -> None:
    count = tmp_path / "count"
    command = ["-c", f"echo run >> {count}; echo answer"]

    def runs() -> int:
        return len(count.read_text().splitlines())

    with plan.one_look():
        assert programs.run("/bin/sh", command) == programs.run("/bin/sh", command) == (0, "answer\n", "")
        assert runs() == 1
        programs.run("/bin/sh", command, text="input")
        assert runs() == 2
    programs.run("/bin/sh", command)
    programs.run("/bin/sh", command)
    assert runs() == 4
