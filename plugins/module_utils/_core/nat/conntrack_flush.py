# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deletes the tracked connections of translations that were removed."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..errors import FlowsRemain
from ..routing.executor import Executor
from ..routing.model import Alias
from .conntrack import Conntrack
from .conntrack_match import FlowOrigins, removed_rules
from .model import NatRule


class FlowFlusher:
    """Deletes the entries of connection tracking that certain translations made, and no others."""

    def __init__(self, conntrack: Conntrack | None = None, executor: Executor | None = None) -> None:
        self._conntrack = conntrack or Conntrack()
        self._executor = executor or Executor()
        self._aliases: list[Alias] | None = None

    def prepare(self, before: Sequence[NatRule], after: Sequence[NatRule]) -> None:
        """Raise Unsupported, or ReadFailed, when flush() will not be possible."""
        leaving = removed_rules(before, after)
        if leaving:
            self._conntrack.check()
        if any(rule.type == "masquerade" for rule in leaving):
            self._addresses(None)

    def flush(self, before: Sequence[NatRule], after: Sequence[NatRule], check_mode: bool) -> int:
        """Delete the connections made by translations that are in ``before`` and not in ``after``; return their number.

        ``before`` is in the order in which the translations were tried.
        In check mode nothing is deleted. Raises FlowsRemain when the kernel keeps some.
        """
        leaving = removed_rules(before, after)
        if not leaving:
            return 0
        origins = FlowOrigins(before, leaving, self._addresses)
        orphaned = [flow for flow in self._conntrack.translated() if origins.is_orphaned(flow)]
        left = [] if check_mode else self._conntrack.delete(orphaned)
        if left:
            raise FlowsRemain([f"{flow}: {reason}" for flow, reason in left])
        return len(orphaned)

    def _addresses(self, interface: str | None) -> Collection[str]:
        if self._aliases is None:
            self._aliases = [existing.object for existing in self._executor.read("address").addresses()]
        return {alias.bare for alias in self._aliases if interface in (None, alias.interface)}
