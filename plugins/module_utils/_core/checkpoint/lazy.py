# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard of a module as long as there is nothing to write: it loads nothing, and looks at one path."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from .model import Confirm, Scope

if TYPE_CHECKING:
    from .guard import Guard

PLACE = "/var/lib/multihome/checkpoints"


class LazyGuard:
    """A guard.Guard that is made when it is needed; ``confirm`` is the option of a module. Raises InvalidInput."""

    def __init__(
        self,
        confirm: Mapping[str, Any] | None,
        scope: Callable[[Any], Scope] = lambda _current: Scope(),
        lock: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
        place: str = PLACE,
    ) -> None:
        self._confirm = Confirm(confirm["run"], confirm["timeout"]) if confirm else None
        self._scope, self._lock, self._place = scope, lock, place

    def begin(self) -> None:
        """Refuse a run that was reverted."""
        if self._confirm is not None and os.path.lexists(os.path.join(self._place, self._confirm.run)):
            self._guard().begin()

    def before_write(self, current: Any) -> None:
        """Arm, or extend the deadline; raises MultihomeError, and then nothing may be changed."""
        if self._confirm is not None or os.path.lexists(os.path.join(self._place, "pending")):
            self._guard().before_write(current)

    def _guard(self) -> Guard:
        # Most runs have nothing to write, and the code of a checkpoint is that of all modules together.
        from ..keeper_installation.host import own_code  # noqa: PLC0415 - as said
        from .directory import Directory  # noqa: PLC0415 - as said
        from .guard import Guard  # noqa: PLC0415 - as said

        return Guard(self._confirm, lambda: own_code(()), self._scope, self._lock, Directory(self._place))
