# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that describe a host: the reports of the keeper, and the stored lists. Reads only."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import MultihomeError
from ..health import state as health_state
from ..health.drained import in_force
from ..health.drained import read as read_drained
from ..host.installed_paths import PROGRAM
from ..keeper import report as keeper_report
from ..keeper.report import DIRECTORY as RUN
from ..lock import LOCK_FILE, is_held
from ..routing.engine import RoutingEngine
from ..store.format import KINDS, Refused, Stored, parse
from ..store.journal import journals
from ..store.persistence import DIRECTORY, load
from .failure import CommandFailed
from .lines import line_ways

# The keeper writes the lines' health every ten seconds at least; an older file says nothing about now.
FRESH = 60.0
FAMILIES = ("ipv4", "ipv6")


@dataclass(frozen=True)
class LineState:
    """A line in one family, as the keeper last wrote it; ``seconds`` is how long it has been in its state."""

    line: str
    family: str
    state: str
    usable: bool
    reason: str = ""
    seconds: float = 0.0
    degraded: bool = False
    loss_percent: float | None = None
    rtt_milliseconds: float | None = None
    address: str | None = None
    alarm: str | None = None
    hold_seconds: float | None = None


@dataclass(frozen=True)
class HostState:
    """The content of the host's files.

    ``lines`` are those whose health is watched, ``unwatched`` the names of the others. ``health_age`` is None where
    no health was written since the boot.
    """

    host: str
    installed: bool
    keeper: Mapping[str, Any]
    lines: Sequence[LineState] = ()
    unwatched: Sequence[str] = ()
    health_age: float | None = None
    interrupted: Sequence[str] = ()
    drained: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def is_fresh(self) -> bool:
        """Whether the lines' health says something about now."""
        return self.health_age is not None and self.health_age <= FRESH


def require_root() -> None:
    """Raise CommandFailed for users who may not read the files of root."""
    if os.geteuid() != 0:
        raise CommandFailed("only root can read the state of this host; run it with sudo")


def read_host_state(run: str = RUN, stored: str = DIRECTORY, program: str = PROGRAM) -> HostState:
    """Return what the files say; a file that cannot be used counts as missing."""
    health = health_state.read(run)
    lines, health_age = line_states(health, time.monotonic(), health_state.boot_id())
    watched = {line.line for line in lines}
    return HostState(
        host=socket.gethostname(),
        installed=os.path.exists(program),
        keeper=keeper_report.read(run),
        lines=lines,
        unwatched=[name for name in line_names(stored) if name not in watched],
        health_age=health_age,
        interrupted=[] if is_held(LOCK_FILE) else journals(run),
        drained=_drained(stored),
    )


def _drained(directory: str) -> dict[str, Mapping[str, Any]]:
    try:
        return {each.line: each.as_input() for each in in_force(read_drained(directory), time.time())}
    except MultihomeError:
        # The keeper's report names the file.
        return {}


def line_states(health: Mapping[str, Any], now: float, boot: str) -> tuple[list[LineState], float | None]:
    """Return the lines of health.json, and how old it is; nothing of an earlier boot."""
    at, lines = health.get("at"), health.get("lines")
    if health.get("boot") != boot or not isinstance(at, (int, float)) or not isinstance(lines, Mapping):
        return [], None
    passed = max(0.0, now - at)
    found = []
    for name, families in lines.items():
        for family in FAMILIES:
            shown = families.get(family) if isinstance(families, Mapping) else None
            if isinstance(shown, Mapping):
                found.append(_line_state(str(name), family, shown, passed))
    return found, passed


def _line_state(name: str, family: str, shown: Mapping[str, Any], passed: float) -> LineState:
    return LineState(
        line=name,
        family=family,
        state=str(shown.get("state")),
        usable=shown.get("usable") is True,
        reason=str(shown.get("reason") or ""),
        seconds=(_number(shown.get("seconds")) or 0.0) + passed,
        degraded=shown.get("degraded") is True,
        loss_percent=_number(shown.get("loss_percent")),
        rtt_milliseconds=_number(shown.get("rtt_milliseconds")),
        address=shown.get("address"),
        alarm=shown.get("alarm"),
        hold_seconds=_number(shown.get("hold_seconds")),
    )


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None


def stored_states(directory: str = DIRECTORY) -> dict[str, Stored]:
    """Return the stored files by kind; of several scopes the usual one. A file that is refused is left out."""
    found = {}
    for kind in KINDS:
        name = f"{kind}.json"
        try:
            text = load(os.path.join(directory, name))
            if text is not None:
                found[kind] = parse(text, name)
        except (OSError, Refused):
            continue
    return found


def routing_of(states: Mapping[str, Stored]) -> RoutingEngine | None:
    """Return the engine of the stored routes and rules; None without any, or where they are refused."""
    stored = states.get("policy_routing")
    if stored is None:
        return None
    try:
        options = {**dict.fromkeys(KINDS["policy_routing"].lists), **stored.options, "purge": False}
        return RoutingEngine.from_options(options)
    except MultihomeError:
        return None


def line_names(directory: str = DIRECTORY) -> list[str]:
    """Return the names of the lines that this host has tables for."""
    return list(dict.fromkeys(line.name for line in line_ways(routing_of(stored_states(directory)))))
