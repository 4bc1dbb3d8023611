# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`multihome drain` and `undrain`: take a line out of service, and back into it."""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from .. import fields
from ..errors import InvalidInput, StoreFailed
from ..health import drained as drained_file
from ..health import state as health_state
from ..health.drained import Drained, as_text
from ..lock import exclusive
from ..store.persistence import DIRECTORY
from .failure import CommandFailed
from .host_state import line_names

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+)\s*(s|min|m|h|d)")
_DAY = 86400
# The year 10000, which a time of the file cannot have.
_LATEST = 253402300800
_FORMATS = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%H:%M")
Lock = Callable[[], AbstractContextManager[Any]]


def moment_after(text: str, now: float) -> float:
    """Return the time that is a duration from now, such as 90s, 30min, 2h or 1h30min; raises ValueError."""
    compact = text.replace(" ", "")
    parts = _DURATION.findall(compact)
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        raise ValueError(f"{text} is no duration such as 30min or 2h")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in parts)
    if seconds >= _LATEST - now:
        raise ValueError(f"{text} is too long; without --for, the line stays drained until multihome undrain")
    return now + seconds


def moment_at(text: str, now: float) -> float:
    """Return a time of this host's time zone: 04:00, 2026-01-31 04:00; with a Z at its end in UTC. Raises ValueError.

    A time without a date is the next one.
    """
    for form in _FORMATS:
        try:
            parsed = datetime.datetime.strptime(text, form)
        except ValueError:
            continue
        if form.endswith("Z"):
            return parsed.replace(tzinfo=datetime.timezone.utc).timestamp()
        if form != "%H:%M":
            return parsed.timestamp()
        today = datetime.datetime.fromtimestamp(now)
        moment = today.replace(hour=parsed.hour, minute=parsed.minute, second=0, microsecond=0)
        return moment.timestamp() if moment.timestamp() > now else (moment + datetime.timedelta(days=1)).timestamp()
    raise ValueError(f'{text} is no time such as 04:00, "2026-01-31 04:00" or 2026-01-31T04:00:00Z')


def drain(
    line: str,
    reason: str = "",
    until: float | None = None,
    force: bool = False,
    directory: str = DIRECTORY,
    lock: Lock = exclusive,
) -> dict[str, Any]:
    """Take a line out of service; return its entry. Raises CommandFailed."""
    _require_line(line, directory)
    now = time.time()
    if until is not None and until <= now:
        raise CommandFailed(f"the end {as_text(until)} is past; give a later one")
    entry = Drained(line, fields.printable(reason), as_text(now), None if until is None else as_text(until))
    try:
        with lock():
            drained_file.drain(Drained.parse(entry.as_input()), force, directory)
    except InvalidInput as error:
        raise CommandFailed("; ".join(error.faults)) from error
    except OSError as error:
        raise StoreFailed(f"{directory}/drained.json", error) from error
    return entry.as_input()


def undrain(line: str, directory: str = DIRECTORY, lock: Lock = exclusive) -> dict[str, Any]:
    """Take a line back into service; raises CommandFailed for one that was not drained by command."""
    try:
        with lock():
            was = drained_file.undrain(line, directory)
    except InvalidInput as error:
        raise CommandFailed("; ".join(error.faults)) from error
    except OSError as error:
        raise StoreFailed(f"{directory}/drained.json", error) from error
    if not was:
        _require_line(line, directory)
        shown = _shown(line)
        if "drained" in shown:
            raise CommandFailed(
                f"{line} is declared as drained: remove drained from its entry in multihome_lines, and deploy again"
            )
        raise CommandFailed(f"{line} is not drained; multihome status shows its state")
    return {"line": line}


def _require_line(line: str, directory: str) -> None:
    known = list(dict.fromkeys([*_watched(), *line_names(directory)]))
    if line in _watched():
        return
    if line in known:
        raise CommandFailed(
            f"the health of {line} is not watched on this host, so nothing would follow; give it health, drained or "
            "flows in multihome_lines, and deploy again"
        )
    raise CommandFailed(f"no line is called {fields.shown(line)}; this host has {fields.listed(known) or 'none'}")


def _watched() -> Sequence[str]:
    lines = health_state.read().get("lines")
    return [str(name) for name in lines] if isinstance(lines, dict) else []


def _shown(line: str) -> list[str]:
    families = health_state.read().get("lines", {}).get(line, {})
    return [str(shown.get("state")) for shown in families.values() if isinstance(shown, dict)]
