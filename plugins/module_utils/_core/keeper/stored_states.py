# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stored states of a host, each with its engine; read again when a file changes."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Optional

from ..engine import Allowed
from ..forwarding.engine import ForwardEngine
from ..learned.gate import with_references
from ..learned.host_addresses import AddressesOfACheck
from ..marks.engine import MarkEngine
from ..nat.engine import NatEngine
from ..references import Learned, references
from ..routing.alias_engine import AliasEngine
from ..routing.duplicate_address_detection import usable
from ..routing.engine import RoutingEngine
from ..routing.foreign_defaults import is_default_in_main
from ..routing.neighbours import resolve
from ..routing.snapshot import Snapshot
from ..store.format import KINDS, Refused, Stored, parse
from ..store.journal import RUN
from ..store.persistable import Persistable
from ..store.persistence import load, reason
from .error_text import error_text
from .interest import ADDRESSES, ROUTES, Interest, interest_in
from .interrupted_runs import roll_back
from .reconcile import Engine
from .watch import FILES, FILTERS, HEALTH

Signature = tuple[int, int, int, int]
Options = Mapping[str, Any]
Engines = Mapping[str, Callable[..., Engine]]
# In the order in which they are applied: routes need addresses. The keeper does not wait for answers of gateways: it
# sends requests, and a later check finds the addresses.
ENGINES: Engines = {
    "ip_aliases": AliasEngine.from_options,
    "policy_routing": functools.partial(RoutingEngine.from_options, desired_tables_only=True),
    "nat_rules": NatEngine.from_options,
    "forward_policy": ForwardEngine.from_options,
    "connection_marks": functools.partial(MarkEngine.from_options, find=functools.partial(resolve, timeout=0)),
}
# The events after which objects of a kind may be missing. The kernel removes routes along with addresses and links.
EVENTS: dict[str, frozenset[str]] = {
    "ip_aliases": frozenset((ADDRESSES,)),
    "policy_routing": frozenset((ADDRESSES, ROUTES, HEALTH)),
    **dict.fromkeys(list(ENGINES)[2:], frozenset((FILTERS,))),
    "connection_marks": frozenset((FILTERS, HEALTH)),
}
# Kinds of which the lines' health decides a part.
LIMITED = frozenset(("policy_routing", "connection_marks"))
AskLimits = Callable[[str, Options], Optional[Allowed]]
# Engines that inspect the host when they are created, for rulesets that other programs load later.
CREATED_EACH_TIME = frozenset(("forward_policy",))


@dataclass
class State:
    """One stored file: its content, and its engine; ``fault`` is the reason if there is none.

    ``usable_before`` are the IPv6 addresses that were usable at the last check, ``observed`` what the lines allowed.
    """

    file: str
    signature: Signature
    stored: Stored | None = None
    engine: Engine = None
    fault: str = ""
    usable_before: frozenset[Any] = frozenset()
    observed: object = None

    @property
    def kind(self) -> str:
        """The kind of state; empty for a file that cannot be parsed."""
        return self.stored.kind if self.stored is not None else ""

    def completed(self, current: Snapshot) -> Snapshot:
        """Return ``current`` with the addresses usable at the last check, and remember those usable now.

        An address that was missing for longer is probed for duplicates again: another host may have it by then.
        """
        before, self.usable_before = self.usable_before, usable(current)
        return replace(current, usable_before=before)


class States:
    """All stored files of a directory; ``engines`` creates an engine from stored options, by kind.

    ``ask_limits`` says which options of a kind of state the lines allow.
    """

    def __init__(
        self, directory: str, engines: Engines, run_directory: str = RUN, ask_limits: AskLimits | None = None
    ) -> None:
        self._directory, self._engines, self._run_directory = directory, engines, run_directory
        self._ask_limits = ask_limits
        self._addresses = AddressesOfACheck()
        self._states: dict[str, State] = {}

    def reload(self) -> list[State]:
        """Read the changed files, and return the states in the order to apply; call it under the host's lock.

        A file that cannot be parsed has a fault, whatever is wrong with it; the others are not affected.
        """
        found: dict[str, State] = {}
        self._addresses.renew()
        for name in self._names():
            signature = _signature(os.path.join(self._directory, name))
            if signature is None:
                continue
            known = self._states.get(name)
            if known is None or known.signature != signature:
                known = self._load(name, signature)
            found[name] = known
        self._states = found
        order = list(self._engines)
        kinds = {name: order.index(state.kind) if state.kind in order else -1 for name, state in found.items()}
        return [found[name] for name in sorted(found, key=lambda name: (kinds[name], name))]

    def prepare(self, state: State) -> bool:
        """Create the engine of a state unless it has one; return whether it has, else ``fault`` has the reason.

        A tool may be missing, and be there at the next check without a change of the file.
        """
        if state.kind in self._engines or state.stored is None:
            return self._create(state)
        # A kind that is published, or watched, in the background has no engine here.
        return False

    def _create(self, state: State) -> bool:
        if state.stored is None or (state.engine is not None and state.kind not in CREATED_EACH_TIME):
            return state.engine is not None
        state.engine, state.fault = None, ""
        options = {**dict.fromkeys(KINDS[state.kind].lists), **state.stored.options, "purge": False}
        try:
            engine = with_references(functools.partial(self._make, state.kind), options, self._addresses)
            if isinstance(engine, Persistable):
                engine.rebind()
            state.engine = engine
        except Exception as error:  # pylint: disable=broad-exception-caught  # it must not stop the other states
            state.fault = error_text(error)
        return state.engine is not None

    def _make(self, kind: str, options: Options) -> Engine:
        limits = {}
        if self._ask_limits is not None and kind in LIMITED:
            limits["ask_allowed"] = functools.partial(self._ask_limits, kind, options)
        return self._engines[kind](options, **limits)

    def learned(self) -> Learned:
        """Return the addresses and gateways that other programs gave the interfaces; read once in a check."""
        return self._addresses.now()

    def rebind(self, state: State, happened: set[str]) -> bool:
        """Have a state use the addresses that this host has now; tell whether these are others than before."""
        if state.engine is None or not happened & {ADDRESSES, ROUTES, FILES}:
            return False
        return isinstance(state.engine, Persistable) and state.engine.rebind()

    def roll_back(self) -> Iterator[tuple[str, str]]:
        """Roll back each killed run, see interrupted_runs.py; call it under the host's lock."""
        return roll_back(self._run_directory, self._engines)

    def interest(self) -> Interest:
        """Return which routes concern the stored states."""
        engines = [state.engine for state in self._states.values() if ADDRESSES in EVENTS.get(state.kind, ())]
        refer = any(state.stored is not None and references(state.stored.options) for state in self._states.values())
        # A default route of another program may come before those of the lines.
        routes = [entry.object for engine in engines for entry in getattr(engine, "routes", None) or ()]
        return interest_in(engines, defaults=refer or any(map(is_default_in_main, routes)))

    def _names(self) -> Iterable[str]:
        try:
            return [name for name in os.listdir(self._directory) if name.endswith(".json") and name[0] != "."]
        except (FileNotFoundError, NotADirectoryError):
            return ()

    def _load(self, name: str, signature: Signature) -> State:
        state = State(name, signature)
        try:
            text = load(os.path.join(self._directory, name))
            state.stored = parse(text or "", name)
        except (OSError, Refused) as error:
            state.fault = reason(error)
        except Exception as error:  # pylint: disable=broad-exception-caught  # it must not stop the other states
            state.fault = error_text(error)
        return state


def _signature(path: str) -> Signature | None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
