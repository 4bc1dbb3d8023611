# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the two backends of the forward policy have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional, Protocol

from ..errors import MultihomeError
from ..filters.backend import Backend
from .model import Forwarding


@dataclass(frozen=True)
class State:
    """The collection's own chain at a place; ``forwarding`` is None where it does not exist.

    ``faults`` say what is not as the forwarding needs it.
    """

    forwarding: Forwarding | None = None
    faults: tuple[str, ...] = ()

    def drops(self, _desired: Forwarding, /) -> bool:
        """Return whether other rules drop traffic of ``desired`` here, so that an own accept would help."""
        return False


# A desired forwarding of None means no chain. The state is each backend's own.
class ForwardBackend(Backend[Any, Optional[Forwarding], str], Protocol):
    """One place, for one or both families."""

    @property
    def families(self) -> tuple[int, ...]:
        """The families that its rules apply to."""

    @property
    def clamps(self) -> bool:
        """Whether it holds limits of the segment size, and no passages."""

    def faults(self, desired: Forwarding) -> list[str]:
        """Return the parts of ``desired`` that cannot be expressed in this place."""


def restore(backend: ForwardBackend, before: State) -> list[str]:
    """Restore the forwarding of ``before`` at a place; return what could not be restored."""
    left: list[str] = []
    try:
        current = backend.read()
        if (current.forwarding, current.faults) == (before.forwarding, before.faults):
            return []
        change = backend.change(current, before.forwarding)
        if change is not None:
            backend.apply(change, current)
    except MultihomeError as error:
        left = str(error).splitlines()
    return left + [f"was incomplete before: {fault}" for fault in before.faults]
