# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/etc/multihome/drained.json: the lines that an administrator took out of service by command, also after a reboot.

Lines that are declared as drained are in lines.json, not here.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import fields
from ..entries import objects, parse_fields, parse_list, without_none
from ..errors import InvalidInput
from ..host import files
from ..store.format import Refused, Stored, parse
from ..store.persistence import DIRECTORY, load, reason
from . import state
from .usable_lines import drain_fault

KIND = "drained"
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_LONGEST_REASON = 200


def as_text(moment: float) -> str:
    """Return a time of time.time() as the file has it, in UTC."""
    return time.strftime(_TIME, time.gmtime(moment))


def moment_of(text: str) -> float:
    """Return the time that a text of the file says; raises ValueError."""
    import calendar  # noqa: PLC0415 - only a host with drained lines needs it

    return float(calendar.timegm(time.strptime(text, _TIME)))


def _moment(value: Any) -> str:
    try:
        moment_of(str(value))
    except ValueError:
        raise ValueError("not a time such as 2026-01-31T22:00:00Z") from None
    return str(value)


def _reason(value: Any) -> str:
    text = fields.printable(str(value))
    if len(text) > _LONGEST_REASON:
        raise ValueError(f"longer than {_LONGEST_REASON} characters")
    return text


@dataclass(frozen=True)
class Drained:
    """A line out of service: why, since when, and until when; without ``until`` it stays so until undrain()."""

    line: str
    reason: str = ""
    since: str = ""
    until: str | None = None

    FIELDS = {"line": fields.text, "reason": _reason, "since": _moment, "until": _moment}

    @classmethod
    def parse(cls, entry: Any) -> Drained:
        """Return the line of one entry; raises InvalidInput with bare reasons."""
        values, faults = parse_fields(entry, cls.FIELDS, "line", required=("line",))
        if faults:
            raise InvalidInput(faults)
        return cls(**values)

    def as_input(self) -> dict[str, Any]:
        """Return the line as an entry of the file."""
        return without_none(line=self.line, reason=self.reason or None, since=self.since or None, until=self.until)

    def is_over(self, now: float) -> bool:
        """Tell whether its time has passed; ``now`` is of time.time()."""
        return self.until is not None and moment_of(self.until) <= now


def parse_drained(entries: Iterable[Any] | None) -> list[Drained]:
    """Return the lines of the file's list; raises InvalidInput with every fault."""
    return objects(parse_list(entries or (), KIND, Drained.parse, "line", lambda each: each.line))


def in_force(drained: Iterable[Drained], now: float) -> list[Drained]:
    """Return those whose time has not passed."""
    return [each for each in drained if not each.is_over(now)]


def next_end(drained: Iterable[Drained], now: float) -> float | None:
    """Return when the next one is over, None for never."""
    ends = [moment_of(each.until) for each in drained if each.until is not None]
    return min((end for end in ends if end > now), default=None)


def read(directory: str = DIRECTORY) -> list[Drained]:
    """Return what the file holds, nothing without a file; raises InvalidInput."""
    path = _path(directory)
    try:
        text = load(path)
        stored = None if text is None else parse(text, os.path.basename(path))
    except (OSError, Refused) as error:
        raise InvalidInput([f"{path}: {reason(error)}; move the file away"]) from error
    return parse_drained(stored.options[KIND]) if stored else []


def write(drained: Sequence[Drained], directory: str = DIRECTORY) -> None:
    """Replace the file, or remove it where no line is left; raises OSError. Call it under the host's lock."""
    path = _path(directory)
    if not drained:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return
    files.make_directories(directory, 0o700)
    files.stage(path, Stored(KIND, {KIND: [each.as_input() for each in drained]}).text(), 0o600)
    files.replace(path)


def drain(
    new: Drained,
    force: bool = False,
    directory: str = DIRECTORY,
    known: Mapping[str, Any] | None = None,
) -> None:
    """Take a line out of service; raises InvalidInput, for the last usable line unless ``force`` is set, and OSError.

    ``known`` is the content of health.json. The keeper sees the file change. Call it under the host's lock.
    """
    shown = state.shown_lines(state.read() if known is None else known)
    fault = "" if force else drain_fault(new.line, shown)
    if fault:
        raise InvalidInput([fault])
    others = [each for each in in_force(read(directory), time.time()) if each.line != new.line]
    write([*others, new], directory)


def undrain(line: str, directory: str = DIRECTORY) -> bool:
    """Take a line back into service; tell whether it was drained by command. Raises InvalidInput and OSError."""
    drained = read(directory)
    left = [each for each in drained if each.line != line]
    if left != drained:
        write(left, directory)
    return left != drained


def _path(directory: str) -> str:
    return os.path.join(directory, f"{KIND}.json")
