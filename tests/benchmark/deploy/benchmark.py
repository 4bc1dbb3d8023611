# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two-line design on three hosts, once by this collection and once by naive.yml: times, and the checks that hold.

Besides, the processor time of a deployment that changes nothing, for 3 and for 30 hosts, in pings of a host; and that
of an unchanged nat_rules with each supported ansible-core.
"""

from __future__ import annotations

import json
import os
import resource
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from ...e2e import checks, playbooks
from ...e2e.offers import FAMILIES, plain
from ...e2e.playbooks import Run
from ...lab.lab import Lab
from ...lab.topology import choose
from ..figures import Figure, Report, median_ratio
from . import versions

TITLE = "the two-line design on three hosts, ours against ansible.builtin.iptables and command: ip …"
ROUNDS = 3
# Lines of the labs whose processor time is measured: each has a firewall, and there is one server.
LINES_OF_LABS = (2, 29)
# Pings of one play, to see what one costs beyond the play.
PINGS = 11
OURS, NAIVE, UNCONFIRMED = "ours", "naive", "ours, not confirmed"
PLAYBOOKS = {
    OURS: playbooks.DEPLOY,
    NAIVE: str(Path(__file__).with_name("naive.yml")),
    # What the naive play does not do either.
    UNCONFIRMED: playbooks.DEPLOY,
}
SETTINGS: dict[str, dict[str, Any]] = {UNCONFIRMED: {"multihome_confirm_timeout": 0}}
Check = tuple[str, Callable[[Lab], list[str]]]


@dataclass
class Measured:
    """What was measured of one way to deploy: times of both runs, and the changes of the second one."""

    first: list[float] = field(default_factory=list)
    second: list[float] = field(default_factory=list)
    first_used: list[float] = field(default_factory=list)
    second_used: list[float] = field(default_factory=list)
    changes: int = 0
    tasks: int = 0
    modules: int = 0
    problems: dict[str, list[str]] = field(default_factory=dict)

    @property
    def held(self) -> int:
        """The number of checks that hold."""
        return sum(not problems for problems in self.problems.values())


def measure(say: Callable[[str], None]) -> Report:
    """Deploy both ways in turn, each time on a fresh lab, so that what else the machine does meets both alike."""
    measured = {OURS: Measured(), NAIVE: Measured(), UNCONFIRMED: Measured()}
    for number in range(1, ROUNDS + 1):
        for name, result in measured.items():
            say(f"round {number} of {ROUNDS}: {name}")
            _measure(name, result, last=number == ROUNDS)
    ours, naive, unconfirmed = measured[OURS], measured[NAIVE], measured[UNCONFIRMED]
    figures = [
        Figure(f"checks that hold, of {len(ours.problems)}", ours.held, at_least=len(ours.problems)),
        Figure("first run, ours to naive", median_ratio(ours.first, naive.first), at_most=1.5),
        Figure("second run, ours to naive", median_ratio(ours.second, naive.second), at_most=0.6),
        Figure(
            "first run, processor time, ours to naive", median_ratio(ours.first_used, naive.first_used), at_most=1.5
        ),
        Figure(
            "first run, processor time, ours without the confirmation to naive",
            median_ratio(unconfirmed.first_used, naive.first_used),
            at_most=1.5,
        ),
        Figure("second run, processor time, ours to naive", median_ratio(ours.second_used, naive.second_used)),
        Figure("module runs of a host in the second run, at most", ours.modules, at_most=1),
        Figure("tasks of a host in the second run, at most", ours.tasks, at_most=checks.MOST_TASKS),
    ]
    cpu = {lines + 1: _processor_time(lines, say) for lines in LINES_OF_LABS}
    figures += [
        Figure(
            f"unchanged deployment of {hosts} hosts, processor time of a host beyond an empty play, in pings",
            median(rounds),
            at_most=3,
        )
        for hosts, rounds in cpu.items()
    ]
    of_versions, rounds_of_versions = versions.figures(say)
    figures += of_versions
    data: dict[str, Any] = {name: _data(result) for name, result in measured.items()}
    data["pings_of_unchanged"] = {str(hosts): rounds for hosts, rounds in cpu.items()}
    data["nat_rules"] = rounds_of_versions
    return Report(figures, data, _comparison(ours, naive))


def _processor_time(lines: int, say: Callable[[str], None]) -> list[float]:
    """Return the processor time of unchanged deployments, of all processes, per host and in pings of a host."""
    say(f"{lines + 1} hosts")
    lab = Lab(f"benchmark-{os.getpid()}")
    found = []
    try:
        lab.up(choose(lines=lines))
        # What is measured is the same after a first deployment of all hosts at once, which takes minutes less.
        _deploy(lab, OURS, playbooks.UNPROTECTED)
        for _round in range(ROUNDS):
            empty, one, many = (_seconds_of_play(lab, pings) for pings in (0, 1, PINGS))
            before = _used()
            problems = checks.nothing_changed(_deploy(lab, OURS))
            taken = _used() - before
            if problems:
                raise playbooks.PlaybookFailed("\n".join(problems))
            found.append((taken - empty) / ((many - one) / (PINGS - 1)))
    finally:
        lab.down()
    return found


def _seconds_of_play(lab: Lab, pings: int) -> float:
    """Return the processor time of a play of so many pings on the hosts of a deployment."""
    tasks = [{"ansible.builtin.ping": None}] * pings
    play = {"hosts": "isp_firewall:multihomed_web", "gather_facts": False, "tasks": tasks}
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as playbook:
        json.dump([play], playbook)
        playbook.flush()
        before = _used()
        done = playbooks.run(lab, playbook.name)
    if done.code:
        raise playbooks.PlaybookFailed("\n".join([*done.failures, done.errors]))
    return _used() - before


def _used() -> float:
    """Return the processor time of all ended children of this process."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _measure(name: str, result: Measured, last: bool) -> None:
    """Deploy twice on a fresh lab; the last time also see what holds."""
    lab = Lab(f"benchmark-{os.getpid()}")
    try:
        lab.up(choose(lines=2))
        start = _used()
        first = _deploy(lab, name)
        between = _used()
        second = _deploy(lab, name)
        result.first_used.append(between - start)
        result.second_used.append(_used() - between)
        result.first.append(first.seconds)
        result.second.append(second.seconds)
        result.changes = sum(second.changed.values())
        result.tasks = max(checks.tasks_of(second).values())
        result.modules = max((len(names) for names in checks.modules_of(second).values()), default=0)
        if last:
            result.problems = {what: check(lab) for what, check in _checks(lab)}
            result.problems["second run changes nothing"] = checks.nothing_changed(second)
    finally:
        lab.down()


def _deploy(lab: Lab, name: str, settings: Mapping[str, Any] | None = None) -> Run:
    """Run a playbook with the one service of the design: the web server."""
    lists: dict[str, Any] = {**playbooks.declared(lab), **SETTINGS.get(name, {}), **(settings or {})}
    lists["multihome_services"] = [service for service in lists["multihome_services"] if service["name"] == "web"]
    done = playbooks.run(lab, PLAYBOOKS[name], variables=lists)
    if done.code:
        raise playbooks.PlaybookFailed("\n".join([*done.failures, done.errors]))
    return done


def _checks(lab: Lab) -> Sequence[Check]:
    """Return the design's checks but the last; each asks about one line."""
    answered: list[Check] = []
    others: list[Check] = []
    for line in (line.name for line in lab.lines):
        answered += [
            (f"{line} is answered, {family}", _about(checks.services_answered, line, f"web {family}"))
            for family in FAMILIES
        ]
        others += [
            (f"LAN client on the alias of {line}", _lan(lab, line)),
            (f"hairpin on {line}", _about(checks.hairpin, line, "web ")),
            (f"outbound from the alias of {line}", _about(checks.outbound_by_alias, line)),
        ]
    return answered + others


def _about(check: Callable[..., list[str]], line: str, words: str = "") -> Callable[[Lab], list[str]]:
    """Return a check of one line, left to the problems that have ``words``."""
    return lambda lab: [problem for problem in check(lab, [line], timeout=1) if words in problem]


def _lan(lab: Lab, line: str) -> Callable[[Lab], list[str]]:
    (server,) = lab.topology.servers
    own = tuple(f"alias {plain(address)}:" for address in server.addresses[line])
    return lambda lab: [problem for problem in checks.lan_reaches_aliases(lab, timeout=1) if problem.startswith(own)]


def _comparison(ours: Measured, naive: Measured) -> str:
    """Return the table: times and changes, then the checks."""
    rows = [("", NAIVE, OURS)]
    rows += [("first run, median, s", f"{median(naive.first):.2f}", f"{median(ours.first):.2f}")]
    rows += [("second run, median, s", f"{median(naive.second):.2f}", f"{median(ours.second):.2f}")]
    rows += [("first run, processor time, s", f"{median(naive.first_used):.2f}", f"{median(ours.first_used):.2f}")]
    rows += [("second run, processor time, s", f"{median(naive.second_used):.2f}", f"{median(ours.second_used):.2f}")]
    rows += [("changes in the second run", str(naive.changes), str(ours.changes))]
    rows += [("tasks of a host in the second run, at most", str(naive.tasks), str(ours.tasks))]
    rows += [(what, _mark(naive, what), _mark(ours, what)) for what in ours.problems]
    rows += [("checks that hold", str(naive.held), str(ours.held))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(f"{a:{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows)


def _mark(measured: Measured, what: str) -> str:
    return "✗" if measured.problems[what] else "✓"


def _data(result: Measured) -> Mapping[str, Any]:
    return {
        "first_run_seconds": result.first,
        "second_run_seconds": result.second,
        "first_run_processor_seconds": result.first_used,
        "second_run_processor_seconds": result.second_used,
        "second_run_changes": result.changes,
        "checks": {what: not problems for what, problems in result.problems.items()},
        "checks_that_hold": result.held,
    }
