# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forgetting the connections that translations made which are there no more."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..errors import FlowsRemain
from ..routing.executor import Executor
from ..routing.model import Alias
from .conntrack import Conntrack
from .conntrack_match import Makers, gone
from .model import NatRule


class FlowForgetter:
    """Drops the entries of connection tracking that given translations made, and no others."""

    def __init__(self, conntrack: Conntrack | None = None, executor: Executor | None = None) -> None:
        self._conntrack = conntrack or Conntrack()
        self._executor = executor or Executor()
        self._aliases: list[Alias] | None = None

    def prepare(self, before: Sequence[NatRule], after: Sequence[NatRule]) -> None:
        """Raise Unsupported, or ReadFailed, when what forget() needs is not at hand."""
        leaving = gone(before, after)
        if leaving:
            self._conntrack.check()
        if any(rule.type == "masquerade" for rule in leaving):
            self._addresses(None)

    def forget(self, before: Sequence[NatRule], after: Sequence[NatRule], check_mode: bool) -> int:
        """Forget the connections made by what is in ``before`` and not in ``after``; return their number.

        ``before`` is in the order in which it was tried.
        In check mode nothing is forgotten. Raises FlowsRemain when the kernel keeps some.
        """
        leaving = gone(before, after)
        if not leaving:
            return 0
        makers = Makers(before, leaving, self._addresses)
        lost = [flow for flow in self._conntrack.translated() if makers.lost(flow)]
        left = [] if check_mode else self._conntrack.forget(lost)
        if left:
            raise FlowsRemain([f"{flow}: {reason}" for flow, reason in left])
        return len(lost)

    def _addresses(self, interface: str | None) -> Collection[str]:
        if self._aliases is None:
            self._aliases = [existing.object for existing in self._executor.read("address").addresses()]
        return {alias.bare for alias in self._aliases if interface in (None, alias.interface)}
