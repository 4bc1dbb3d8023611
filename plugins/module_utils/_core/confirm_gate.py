# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of modules to the option ``confirm``: a run without the option that changes nothing needs none of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

from .lock import LockHolder

if TYPE_CHECKING:
    from .confirm import Scope

# In seconds.
DEFAULT_TIMEOUT = 60


class Guard(Protocol):
    """Protects one module's run; confirm.ConfirmGuard says more."""

    def holding(self, lock: Callable[[], AbstractContextManager[int | None]]) -> AbstractContextManager[None]:
        """Hold the host's lock."""

    def begin(self) -> None:
        """Refuse a run that was reverted."""

    def before_write(self, current: Any) -> None:
        """Take a checkpoint, or extend its deadline; raises MultihomeError, and then nothing may be changed."""


def guard_of(confirm: Mapping[str, Any] | None, scope: Callable[[Any], Scope]) -> Guard:
    """Return the guard of a module's run; ``confirm`` and ``scope`` are as for ConfirmGuard."""
    if not confirm or not confirm["timeout"]:
        return _WithoutOption(scope)
    # Loaded only where it is needed: a module is compiled on the host in every run.
    from .confirm import ConfirmGuard  # noqa: PLC0415 - as said

    return ConfirmGuard(confirm, scope)


class _WithoutOption(LockHolder):
    """The guard of a run without the option. Another run may wait for its confirmation when this one writes."""

    def __init__(self, scope: Callable[[Any], Scope]) -> None:
        self._scope = scope

    def begin(self) -> None:
        """Without the option there is nothing to refuse."""

    def before_write(self, current: Any) -> None:
        """Extend the deadline of a run that waits for its confirmation."""
        from .confirm import ConfirmGuard  # noqa: PLC0415 - only a run that changes something needs it

        guard = ConfirmGuard(None, self._scope)
        with guard.holding(lambda: nullcontext(self._lock)):
            guard.before_write(current)
