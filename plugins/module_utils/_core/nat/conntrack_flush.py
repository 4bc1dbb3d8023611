# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deletes the tracked connections that a change of the translations makes wrong, and no others."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Callable

from ..errors import FlowsRemain
from ..routing.executor import Executor
from ..routing.model import Alias
from .conntrack import Conntrack, Flow
from .conntrack_match import FlowOrigins, is_translated, removed_rules
from .expected_translation import (
    ExpectedTranslations,
    Paths,
    arriving_rules,
    may_end_exemptions,
    rules_moved_ahead,
)
from .flow_paths import FlowPaths
from .model import NatRule

# Which connections are deleted: those that are not translated and that a new or changed translation would translate, or
# any translation where an exemption kept them until now; with CHANGED also those that a removed, changed or preceded
# translation made, be it preceded by a new one or by one that was asked later.
NEW, CHANGED = "new", "changed"
# Seconds between looks at what became of deleted connections, and the seconds after which no further look is taken.
PAUSES = (0.0, 0.01, 0.03, 0.06, 0.15, 0.25, 0.5)
# The keeper has other work to do.
BRIEF = PAUSES[:5]
MOST_SECONDS = 2.0


class FlowFlusher:
    """Deletes the entries of connection tracking that a change makes wrong. ``which`` is NEW or CHANGED."""

    def __init__(
        self,
        which: str,
        conntrack: Conntrack | None = None,
        executor: Executor | None = None,
        paths: Paths | None = None,
        sleep: Callable[[float], None] = time.sleep,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self._which = which
        self._sleep, self._pauses = sleep, pauses
        self._conntrack = conntrack or Conntrack()
        self._executor = executor or Executor()
        self._paths = paths or FlowPaths()
        self._aliases: list[Alias] | None = None

    def prepare(self, before: Sequence[NatRule], after: Sequence[NatRule]) -> None:
        """Raise Unsupported, or ReadFailed, when flush() will not be possible."""
        concerned = [*self._leaving(before, after), *self._arriving(before, after)]
        if may_end_exemptions(before, after):
            concerned += after
        if concerned:
            self._conntrack.check()
        if any(rule.type in ("masquerade", "redirect") for rule in concerned):
            self._addresses(None)

    def flush(self, before: Sequence[NatRule], after: Sequence[NatRule], check_mode: bool) -> int:
        """Delete the connections that the change from ``before`` to ``after`` makes wrong; return their number.

        Both are in the order in which the translations are tried.
        In check mode nothing is deleted. Raises FlowsRemain when the kernel keeps some.
        """
        leaving, arriving = self._leaving(before, after), self._arriving(before, after)
        ends_exemptions = may_end_exemptions(before, after)
        if not leaving and not arriving and not ends_exemptions:
            return 0
        origins = FlowOrigins(before, leaving, self._addresses)
        expected = ExpectedTranslations(after, arriving, self._addresses, self._paths)
        earlier = ExpectedTranslations(before if ends_exemptions else (), (), self._addresses, self._paths)

        def is_wrong(flow: Flow) -> bool:
            return any(
                self._is_wrong(flow, end, origins, expected)
                or (earlier.is_exempt(flow, end) and expected.is_different(flow, end))
                for end in (True, False)
            )

        only_translated = not arriving and not ends_exemptions
        wrong = [flow for flow in self._conntrack.flows(only_translated) if is_wrong(flow)]
        left = [] if check_mode else self._delete(wrong)
        if left:
            raise FlowsRemain([f"{flow}: {reason}" for flow, reason in left])
        return len(wrong)

    def _delete(self, flows: list[Flow]) -> list[tuple[Flow, str]]:
        """Delete connections, and those that answers under way make of them; return those that the kernel keeps.

        The answer to a packet before the deletion looks like a new connection, whose source is translated as that of
        the old one was. The client's packets would then belong to it, and reach the old server as before.
        """
        left = self._conntrack.delete(flows)
        pending, end = flows, time.monotonic() + MOST_SECONDS
        for pause in self._pauses:
            if not pending or time.monotonic() > end:
                break
            self._sleep(pause)
            looked = list(zip(pending, self._conntrack.successors(pending)))
            left += self._conntrack.delete([now for flow, now in looked if now is not None and _is_answer(now, flow)])
            pending = [flow for flow, now in looked if now is None or _is_answer(now, flow)]
        return left

    def _is_wrong(self, flow: Flow, is_destination: bool, origins: FlowOrigins, expected: ExpectedTranslations) -> bool:
        """Return whether the destination, or the source, of a connection is not what it has to be from now on."""
        if not is_translated(flow, is_destination):
            return expected.is_missing(flow, is_destination)
        if self._which != CHANGED:
            return False
        if origins.is_orphaned(flow, is_destination):
            return not expected.is_same(flow, is_destination)
        # What another program translated is not judged.
        return origins.may_have_translated(flow, is_destination) and expected.is_missing(flow, is_destination)

    def _leaving(self, before: Sequence[NatRule], after: Sequence[NatRule]) -> list[NatRule]:
        return removed_rules(before, after) if self._which == CHANGED else []

    def _arriving(self, before: Sequence[NatRule], after: Sequence[NatRule]) -> list[NatRule]:
        """Return the translations that may decide where they did not before."""
        moved = rules_moved_ahead(before, after) if self._which == CHANGED else []
        return [*arriving_rules(before, after), *moved]

    def _addresses(self, interface: str | None) -> Collection[str]:
        if self._aliases is None:
            self._aliases = [existing.object for existing in self._executor.read("address").addresses()]
        return {alias.bare for alias in self._aliases if interface in (None, alias.interface)}


def _is_answer(flow: Flow, deleted: Flow) -> bool:
    """Return whether a connection has the packets of a deleted one, and began with an answer to it."""
    return (flow.original, flow.reply) == (deleted.reply, deleted.original)
