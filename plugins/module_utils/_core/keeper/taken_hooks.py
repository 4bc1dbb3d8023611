# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the hooks for replies and connections that do not leave by their line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..routing.foreign_defaults import ForeignDefault
from ..routing.reply_model import Finding
from .report import log

if TYPE_CHECKING:
    from ..health.hooks import Hooks


def make_hooks() -> Hooks:
    """Return the hooks, with their thread started."""
    from ..health.hooks import Hooks  # noqa: PLC0415 - most hosts never need them

    hooks = Hooks(log)
    hooks.start()
    return hooks


class TakenHooks:
    """Runs the hooks with the event ``taken``; their thread starts with the first one."""

    def __init__(self, make: Callable[[], Hooks] = make_hooks) -> None:
        self._make = make
        self._hooks: Hooks | None = None

    def taken(self, finding: Finding) -> None:
        """Run the hooks for a finding; returns at once."""
        facts = {
            "line": finding.reply.line,
            "family": f"ipv{finding.reply.family}",
            "state": "taken",
            "reason": finding.message,
            "address": finding.reply.source,
            "degraded": "no",
        }
        self._happened(facts)

    def default_taken(self, finding: ForeignDefault) -> None:
        """Run the hooks for a default route of another program; returns at once."""
        facts = {
            "line": "",
            "family": f"ipv{finding.family}",
            "state": "taken",
            "reason": finding.message,
            "address": "",
            "degraded": "no",
        }
        self._happened(facts)

    def _happened(self, facts: Mapping[str, str]) -> None:
        if self._hooks is None:
            self._hooks = self._make()
        self._hooks.happened("taken", facts)

    def stop(self) -> None:
        """End; a hook that runs is killed."""
        if self._hooks is not None:
            self._hooks.stop()
            self._hooks = None
