# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`multihome status`: is everything in order, and if not, where. For people, and for monitoring by exit status."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..nat.foreign import FIRST
from .host_state import FAMILIES, HostState, LineState
from .terminal import Page, age

OK, WARNING, CRITICAL, UNKNOWN = "ok", "warning", "critical", "unknown"
# The exit status, as monitoring plugins have it.
EXIT = {OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3}
# The most important one first.
_ORDER = (CRITICAL, UNKNOWN, WARNING)
_STYLES = {OK: "good", WARNING: "warning", CRITICAL: "bad", UNKNOWN: "warning"}
_STATE_STYLES = {"up": "good", "down": "bad"}
_LONGEST_NAME = 20
_WORDS = {"ipv4": "IPv4", "ipv6": "IPv6"}
# Of many objects with the same trouble the first ones are shown.
_MOST = 8


@dataclass(frozen=True)
class Problem:
    """Something that is not in order, and what to do or to look at."""

    level: str
    text: str
    remedy: str = ""


def problems(state: HostState) -> list[Problem]:
    """Return the problems, the most important ones first."""
    if not state.installed and not state.keeper.get("running"):
        return [Problem(UNKNOWN, "the keeper is not installed", "deploy this host, or run the module keeper")]
    found = [*_of_keeper(state), *_of_lines(state)]
    return sorted(found, key=lambda problem: _ORDER.index(problem.level))


def level(found: Sequence[Problem]) -> str:
    """Return the level of all problems together."""
    return next((each for each in _ORDER if any(problem.level == each for problem in found)), OK)


def _of_keeper(state: HostState) -> Iterator[Problem]:
    keeper = state.keeper
    if not keeper.get("running"):
        yield Problem(UNKNOWN, "the keeper does not run: nothing is watched", "systemctl status multihome-keeper")
    for entry in keeper.get("taken") or ():
        yield Problem(CRITICAL, str(entry.get("message", "replies do not leave by their line")))
    for entry in keeper.get("taken_translations") or ():
        # Whether it is asked first may be unknown.
        severity = CRITICAL if entry.get("order") == FIRST else WARNING
        message = entry.get("message", "another program translates connections of an entry")
        yield Problem(severity, str(message), str(entry.get("remedy", "")))
    for entry in keeper.get("taken_defaults") or ():
        message = entry.get("message", "another default route is preferred to those of the lines")
        yield Problem(WARNING, str(message), str(entry.get("remedy", "")))
    for zone in keeper.get("zones") or ():
        if zone.get("fault"):
            text = f"zone {zone.get('zone')} is not published: {_one_line(zone['fault'])}"
            yield Problem(CRITICAL, text, "addresses of dead lines stay in DNS until this is fixed")
    for entry in keeper.get("refused") or ():
        yield Problem(CRITICAL, f"{entry.get('file')} is not applied: {entry.get('reason')}", "deploy this host again")
    for name, count in (("waiting", "wait"), ("damped", "are removed by another program again and again")):
        number = len(keeper.get(name) or ())
        if number:
            yield Problem(WARNING, f"{number} {'object' if number == 1 else 'objects'} {_verb(count, number)}")
    for file in state.interrupted:
        text = f"a run was killed while it changed this host ({file})"
        yield Problem(WARNING, text, "the keeper rolls it back: multihome repair")


def _one_line(text: Any) -> str:
    return "; ".join(str(text).splitlines())


def _verb(text: str, number: int) -> str:
    return text.replace("wait", "waits").replace("are ", "is ") if number == 1 else text


def _of_lines(state: HostState) -> Iterator[Problem]:
    if state.lines and state.keeper.get("running") and not state.is_fresh:
        text = f"the lines' health was written {age(state.health_age or 0)} ago, and says nothing about now"
        yield Problem(UNKNOWN, text, "multihome log")
    for family in FAMILIES:
        known = [line for line in state.lines if line.family == family]
        if known and not any(line.usable for line in known):
            yield Problem(CRITICAL, f"no line is usable for {_WORDS[family]}; the routes stay as they were")
    for line in state.lines:
        label = f"{line.line} {_WORDS[line.family]}"
        if line.alarm:
            yield Problem(WARNING, f"{label} cannot be judged: {line.alarm}")
        elif line.state in ("down", "recovering"):
            yield Problem(WARNING, f"{label} is {line.state}: {line.reason}", f"multihome explain {line.line}")
        elif line.degraded and line.state != "drained":
            yield Problem(WARNING, f"{label} is degraded: {_quality(line)}")


def _quality(line: LineState) -> str:
    return f"loss {_percent(line.loss_percent)}, latency {_milliseconds(line.rtt_milliseconds)}"


def as_json(state: HostState) -> dict[str, Any]:
    """Return everything that the text shows, for programs."""
    found = problems(state)
    return {
        "version": 1,
        "host": state.host,
        "status": level(found),
        "problems": [asdict(problem) for problem in found],
        "outgoing": outgoing(state),
        "lines": [{**asdict(line), "drained": state.drained.get(line.line)} for line in state.lines],
        "unwatched": list(state.unwatched),
        "health_age_seconds": state.health_age,
        "keeper": dict(state.keeper),
        "interrupted": list(state.interrupted),
    }


def outgoing(state: HostState) -> dict[str, list[str]]:
    """Return the lines by which connections leave that this host or its clients initiate, the best first."""
    found = {}
    for family in FAMILIES:
        usable = [line for line in state.lines if line.family == family and line.usable]
        if any(line.family == family for line in state.lines):
            found[family] = [line.line for line in sorted(usable, key=lambda line: line.degraded)]
    return found


def render(state: HostState, page: Page, now: datetime.datetime) -> None:
    """Write the text."""
    found = problems(state)
    page.row((level(found).upper(), state.host), (8,), (_STYLES[level(found)], "bold"))
    for problem in found:
        page.add(f"- {problem.text}", 2, 4, _STYLES[problem.level])
        if problem.remedy:
            page.add(problem.remedy, 4)
    if state.lines:
        page.add()
        _lines(state, page)
    if state.unwatched:
        page.add()
        page.add(f"Lines without health check: {', '.join(state.unwatched)}", 0, 2)
    page.add()
    _keeper(state, page, now)


def _lines(state: HostState, page: Page) -> None:
    longest = max(len(line.line) for line in state.lines)
    widths = (min(max(longest, 4), _LONGEST_NAME), 4, 10, -10, -6, -9)
    page.row(("LINE", "", "STATE", "SINCE", "LOSS", "LATENCY", ""), widths, ("bold",) * 7)
    shown = ""
    for line in state.lines:
        name = "" if line.line == shown else line.line
        if len(name) > _LONGEST_NAME:
            page.add(name)
            name = ""
        word = "degraded" if line.degraded and line.state == "up" else line.state
        cells = (
            name,
            _WORDS[line.family],
            word,
            age(line.seconds),
            _percent(line.loss_percent),
            _milliseconds(line.rtt_milliseconds),
            "",
        )
        page.row(cells, widths, ("bold", "", _STATE_STYLES.get(word, "warning")))
        shown = line.line
        for text in _details(line, state.drained.get(line.line)):
            page.add(text, widths[0] + 8)
    if state.is_fresh:
        page.add()
        known = outgoing(state)
        for family, names in known.items():
            text = ", then ".join(names) or "no line is usable; the routes stay as they were"
            page.field("" if family == "ipv6" and "ipv4" in known else "Outgoing", f"{_WORDS[family]}: {text}")


def _details(line: LineState, drained: Mapping[str, Any] | None) -> Iterator[str]:
    if line.state == "drained" and drained:
        until = f" until {drained['until']}" if drained.get("until") else ""
        yield f"drained{until}: {drained.get('reason') or 'no reason given'}"
    elif line.state != "up" and line.reason:
        yield line.reason
    if line.state == "down" and line.hold_seconds:
        yield f"used again after {line.hold_seconds:g} s of answers"
    if line.alarm:
        yield f"cannot be judged: {line.alarm}"
    if line.address and line.state != "up":
        yield f"address {line.address}"


def _keeper(state: HostState, page: Page, now: datetime.datetime) -> None:
    keeper = state.keeper
    if not keeper.get("since"):
        page.field("Keeper", "no report since the boot")
        return
    since = _ago(keeper["since"], now)
    word = f"started {since} ago" if keeper.get("running") else f"does not run; it was started {since} ago"
    page.field("Keeper", f"{word}, {keeper.get('repairs', 0)} objects restored since then")
    last = keeper.get("last_repair")
    if last:
        page.field("", f"last: {last.get('object')}, {_ago(last.get('time'), now)} ago")
    error = keeper.get("last_error")
    if error:
        page.field("", f"last error: {error.get('error')}, {_ago(error.get('time'), now)} ago")
    waiting = keeper.get("waiting") or ()
    _list(page, "Waiting", (f"{_named(entry)}: {entry.get('reason')}" for entry in waiting))
    damped = keeper.get("damped") or ()
    texts = (
        f"{entry.get('object')}: restored {entry.get('repairs')} times, next try {_clock(entry.get('next_try'))}"
        for entry in damped
    )
    _list(page, "Backoff", texts)
    _list(page, "Zones", (_zone(zone) for zone in keeper.get("zones") or () if not zone.get("fault")))
    _list(page, "Remedies", (str(entry["remedy"]) for entry in keeper.get("taken") or () if entry.get("remedy")))


def _zone(zone: Mapping[str, Any]) -> str:
    domains = ", ".join(map(str, zone.get("publishes") or ()))
    return f"{zone.get('zone')}: publishes {domains}" if domains else f"{zone.get('zone')}: another host publishes it"


def _named(entry: Mapping[str, Any]) -> str:
    return str(entry.get("object") or entry.get("file"))


def _list(page: Page, name: str, texts: Iterable[str]) -> None:
    every = list(texts)
    for number, text in enumerate(every[:_MOST]):
        page.field("" if number else name, text)
    if len(every) > _MOST:
        page.field("", f"and {len(every) - _MOST} more; --json lists them all")


def _ago(text: Any, now: datetime.datetime) -> str:
    """Return how long a time of the keeper's report is past."""
    try:
        moment = datetime.datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return "an unknown time"
    return age((now - moment).total_seconds())


def _clock(text: Any) -> str:
    return str(text).partition("T")[2].rstrip("Z") + " UTC" if "T" in str(text) else "soon"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} %"


def _milliseconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"
