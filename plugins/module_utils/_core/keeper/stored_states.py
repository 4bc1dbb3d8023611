# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stored states of a host, each with an engine; read again when a file changes."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import MultihomeError
from ..forwarding.engine import ForwardEngine
from ..marks.engine import MarkEngine
from ..nat.engine import NatEngine
from ..routing.alias_engine import AliasEngine
from ..routing.duplicate_address_detection import usable
from ..routing.engine import RoutingEngine
from ..routing.neighbours import resolve
from ..routing.snapshot import Snapshot
from ..store.format import KINDS, Refused, Stored, parse
from ..store.persistence import load, reason
from .watch import FILTERS, ROUTES

Signature = tuple[int, int, int, int]
# In the order in which they are applied: routes need addresses. Gateways that are not known yet are asked for and not
# waited for, a later look finds them.
ENGINES: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "ip_aliases": AliasEngine.from_options,
    "policy_routing": RoutingEngine.from_options,
    "nat_rules": NatEngine.from_options,
    "forward_policy": ForwardEngine.from_options,
    "connection_marks": functools.partial(MarkEngine.from_options, find=functools.partial(resolve, timeout=0)),
}
# Whose changes tell that something of a kind may be gone.
TOLD_BY = {"ip_aliases": ROUTES, "policy_routing": ROUTES, **dict.fromkeys(list(ENGINES)[2:], FILTERS)}
# Engines that look around when they are made, for what other programs may bring later: iptables' filters, for one.
MADE_ANEW = frozenset(("forward_policy",))


@dataclass
class State:
    """One stored file: what it holds, and the engine of it; ``fault`` says why there is none.

    ``stood`` are the IPv6 addresses that were of use at the last look.
    """

    file: str
    signature: Signature
    stored: Stored | None = None
    engine: Any = None
    fault: str = ""
    stood: frozenset[Any] = frozenset()

    @property
    def kind(self) -> str:
        """The kind of state; empty where the file does not tell."""
        return self.stored.kind if self.stored else ""

    def remembering(self, current: Snapshot) -> Snapshot:
        """Return ``current`` with what stood at the last look, and keep what stands now for the next one.

        What is missing for longer than that is looked for again when it comes back: another host may have it by then.
        """
        stood, self.stood = self.stood, usable(current)
        return replace(current, usable_before=stood)


class States:
    """All stored files of a directory; ``engines`` makes an engine of stored options, by kind."""

    def __init__(self, directory: str, engines: Mapping[str, Callable[[Mapping[str, Any]], Any]]) -> None:
        self._directory, self._engines = directory, engines
        self._states: dict[str, State] = {}

    def reload(self) -> list[State]:
        """Read the files that changed, and return the states in the order to apply; call it under the host's lock.

        A file that cannot be used has a fault and no engine; the others are none the worse for it.
        """
        found: dict[str, State] = {}
        for name in self._names():
            signature = _signature(os.path.join(self._directory, name))
            if signature is None:
                continue
            known = self._states.get(name)
            # An engine could also not be made because a tool is missing: that may change without the file.
            may_differ = known is not None and known.stored and (known.engine is None or known.kind in MADE_ANEW)
            if known is None or known.signature != signature or may_differ:
                known = self._load(name, signature)
            found[name] = known
        self._states = found
        order = list(self._engines)
        kinds = {name: order.index(state.kind) if state.kind else -1 for name, state in found.items()}
        return [found[name] for name in sorted(found, key=lambda name: (kinds[name], name))]

    def _names(self) -> list[str]:
        try:
            return [name for name in os.listdir(self._directory) if name.endswith(".json") and name[0] != "."]
        except FileNotFoundError:
            return []

    def _load(self, name: str, signature: Signature) -> State:
        state = State(name, signature)
        try:
            text = load(os.path.join(self._directory, name))
            state.stored = parse(text or "", name)
            options = {**dict.fromkeys(KINDS[state.stored.kind].lists), **state.stored.options, "purge": False}
            state.engine = self._engines[state.stored.kind](options)
        except (OSError, Refused) as error:
            state.fault = reason(error)
        except MultihomeError as error:
            state.fault = str(error)
        return state


def _signature(path: str) -> Signature | None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
