# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one interface of everything that is kept in a packet filter, and changes at several places in order."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ..errors import ApplyFailed, MultihomeError, StepFailed

S = TypeVar("S")
D_contra = TypeVar("D_contra", contravariant=True)
C = TypeVar("C")


class Backend(Protocol[S, D_contra, C]):
    """One place in one packet filter: reads a state, and changes it to a desired one.

    ``name`` is that of the modules' option ``backend``; ``place`` says where the objects are.
    """

    @property
    def name(self) -> str:
        """Either ``nftables`` or ``iptables``."""

    @property
    def place(self) -> str:
        """The table or chains, as messages name them."""

    def read(self) -> S:
        """Return the current state."""

    def change(self, current: S, desired: D_contra) -> C | None:
        """Return the transaction from ``current`` to ``desired``, None when there is nothing to send."""

    def apply(self, change: C, current: S) -> None:
        """Send a change; raises ApplyFailed when nothing was changed, StepFailed when a part may be."""

    def restore(self, before: S) -> list[str]:
        """Restore ``before`` where the state differs; return what could not be restored."""


@dataclass(frozen=True)
class Current(Generic[S]):
    """The state in the backend in use, and in the other one, from which a host may be moved."""

    here: S
    elsewhere: S | None = None


@dataclass(frozen=True)
class Step:
    """One change at one place."""

    place: str
    apply: Callable[[], None]
    restore: Callable[[], list[str]]


def step(backend: Backend[S, D_contra, C], change: C | None, current: S) -> list[Step]:
    """Return the step that sends a change through a backend, none when there is nothing to send."""
    if change is None:
        return []
    to_send = change
    return [Step(backend.place, lambda: backend.apply(to_send, current), lambda: backend.restore(current))]


def apply_all(steps: Iterable[Step]) -> None:
    """Apply the steps in order; raises StepFailed as soon as anything was changed before a failure."""
    done: list[str] = []
    for one in steps:
        try:
            one.apply()
        except StepFailed as error:
            raise StepFailed(error.failed, error.reason, [*done, *error.done]) from error
        except ApplyFailed as error:
            if not done:
                raise
            raise StepFailed(error.failed, error.reason, done) from error
        except MultihomeError as error:
            if not done:
                raise
            raise StepFailed(one.place, str(error), done) from error
        done.append(one.place)


def restore_all(steps: Sequence[Step]) -> list[str]:
    """Restore the state before the steps, the last one first; return what could not be restored."""
    left: list[str] = []
    for one in reversed(steps):
        try:
            left += one.restore()
        except MultihomeError as error:
            left += str(error).splitlines()
    return left


def checksum(rule: str) -> str:
    """Return the checksum of a rule's text, kept in its comment: the tools print rules in forms of their own."""
    return f"{zlib.crc32(rule.encode()):08x}"
