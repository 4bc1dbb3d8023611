# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a checkpoint, and the objects that it covers. No I/O.

none -> armed -> confirmed, or armed -> reverting -> reverted (the tombstone of the run) or failed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..confirm import FAILED, LONGEST, check_option
from ..confirm_gate import DEFAULT_TIMEOUT
from ..routing.iproute_names import DATABASES, own_file

VERSION = 1
NONE = "none"


@dataclass(frozen=True)
class Confirm:
    """The option ``confirm`` of a module: its run, and how many seconds there are to confirm."""

    run: str
    timeout: int = DEFAULT_TIMEOUT

    def __post_init__(self) -> None:
        check_option(self.run, self.timeout)


@dataclass(frozen=True)
class Scope:
    """The objects that a module may change: owner tags, tables of the packet filter, kernel parameters, and files.

    A file that is a directory stands for everything in it.
    """

    owners: tuple[int, ...] = ()
    tables: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def __or__(self, other: Scope) -> Scope:
        return Scope(*(_united(getattr(self, name), getattr(other, name)) for name in _NAMES))

    def without(self, other: Scope) -> Scope:
        """Return the part that is not in ``other``."""
        return Scope(*(tuple(i for i in getattr(self, name) if i not in getattr(other, name)) for name in _NAMES))

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in _NAMES)

    def as_json(self) -> dict[str, list[Any]]:
        """Return the scope as plain data."""
        return {name: list(getattr(self, name)) for name in _NAMES}

    @classmethod
    def of_json(cls, content: Mapping[str, Iterable[Any]]) -> Scope:
        """Return the scope of plain data; kinds may be missing."""
        return cls(**{name: tuple(content.get(name, ())) for name in _NAMES})


_NAMES = tuple(field.name for field in dataclasses.fields(Scope))


def name_files(owners: Iterable[int]) -> Scope:
    """Return the files with names of routing tables that these owners may write."""
    return Scope(files=tuple(own_file(kind, owner) for kind in DATABASES for owner in owners))


def _united(one: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys((*one, *other)))


@dataclass(frozen=True)
class Status:
    """The state of one checkpoint. Times are CLOCK_BOOTTIME, except the texts ``armed_at`` and ``ended_at`` (UTC).

    ``failures`` say why a revert failed, ``summary`` what a confirmed run changed, and ``unproven`` what could not be
    checked of it. ``number`` counts the runs of the host: the time of day may be set back between two of them.
    """

    run: str
    state: str
    who: str
    armed_at: str
    armed: float
    deadline: float
    boot: str
    ended_at: str = ""
    failures: tuple[str, ...] = ()
    summary: str = ""
    unproven: tuple[str, ...] = ()
    number: int = 0

    def extended(self, now: float, timeout: float) -> Status:
        """Return the status with a deadline ``timeout`` from now, within the longest time of a run."""
        wanted = min(now + timeout, self.armed + LONGEST)
        return dataclasses.replace(self, deadline=max(self.deadline, wanted))

    def ended(self, state: str, at: str, failures: Iterable[str] = ()) -> Status:
        """Return the status in another state."""
        return dataclasses.replace(self, state=state, ended_at=at, failures=tuple(failures))

    def as_json(self) -> dict[str, Any]:
        """Return the status as plain data."""
        return {"version": VERSION, **dataclasses.asdict(self)}

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Status:
        """Return the status of plain data; raises KeyError, TypeError or ValueError."""
        if content["version"] != VERSION:
            raise ValueError(f"version {content['version']} is unknown")
        # Earlier versions wrote none of the last three.
        texts = ("run", "state", "who", "armed_at", "boot", "ended_at")
        return cls(
            **{name: _text(content[name]) for name in texts},
            armed=float(content["armed"]),
            deadline=float(content["deadline"]),
            failures=tuple(map(_text, content["failures"])),
            summary=_text(content.get("summary", "")),
            unproven=tuple(map(_text, content.get("unproven", ()))),
            number=int(content.get("number", 0)),
        )

    def refusal(self, now: float, boot: str) -> str:
        """Return why nothing else may be changed while this is the pending checkpoint."""
        if self.state == FAILED:
            reasons = "; ".join(self.failures)
            return (
                f"the changes of run {self.run} could not be reverted ({self.ended_at}: {reasons}); "
                f"repair that, then revert with commit_confirm, state: reverted, run: {self.run}"
            )
        if boot != self.boot:
            return (
                f"run {self.run} ({self.who}) was not confirmed before this host was booted again; "
                f"revert it with commit_confirm, state: reverted, run: {self.run}"
            )
        left = self.deadline - now
        if left <= 0:
            return (
                f"the time to confirm run {self.run} of {self.who} is over, and it is being reverted; if that does not "
                f"end within a minute, revert it with commit_confirm, state: reverted, run: {self.run}"
            )
        return (
            f"run {self.run} of {self.who} waits for its confirmation since {self.armed_at}, for {left:.0f} s more; "
            "confirm or revert it with commit_confirm, or try again after that"
        )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
