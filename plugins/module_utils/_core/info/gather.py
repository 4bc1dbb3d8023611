# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gathers the state of a host, each kind in the input form of the module that manages it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..dns import stored
from ..errors import Unsupported
from ..fields import is_local_only
from ..filters.nftables import DEFAULT_TABLE
from ..forwarding import engine as forward_engine
from ..host import requirements
from ..keeper import report as keeper_report
from ..marks import engine as mark_engine
from ..nat import engine as nat_engine
from ..plan import Existing
from ..routing.executor import Executor
from ..routing.learned_addresses import learned_addresses
from ..routing.lists import tables_form
from ..routing.owner_tag import parse_owner
from ..routing.snapshot import Snapshot
from . import checkpoints

_OPTIONAL_SUBSETS = ("nat_rules", "forward_policy", "connection_marks")
STATE_SUBSETS = ("ip_aliases", "policy_routing", *_OPTIONAL_SUBSETS)
SUBSETS: tuple[str, ...] = (*STATE_SUBSETS, "nat_counters", "foreign_addresses", "interfaces", "keeper", "line_health")
SUBSETS += ("checkpoints", "requirements", "dns", "taken_translations")
_KINDS_OF_SUBSET = {
    "ip_aliases": ("address",),
    "policy_routing": ("route", "rule", "link"),
    "foreign_addresses": ("address",),
    "interfaces": ("address", "route"),
}
# RTPROT_KERNEL and IFAPROT_KERNEL_LO..LL: routes of connected networks, loopback and link-local addresses.
_KERNEL_OWNERS = {"route": (2,), "address": (1, 2, 3), "rule": (2,)}
# The content of a subset, in the input form of its module.
Form = Any


def gather(
    wanted: Sequence[str] | None,
    owner: int,
    owned_only: bool,
    table: str = DEFAULT_TABLE,
    executor: Executor | None = None,
) -> dict[str, Form]:
    """Return ``{subset: state}`` from one dump of each kind that is needed; ``wanted`` None means all state subsets.

    With ``owned_only`` only objects with the owner tag count; without it everything that the model can express, as far
    as it is configuration: objects of the kernel itself (its local table, connected routes) are left out.
    Raises Unsupported when a tool for a wanted subset is missing; when all are wanted, that one is left out and
    ``left_out`` names it with the reason.
    """
    subsets = STATE_SUBSETS if wanted is None else wanted
    parse_owner(owner)
    kinds = sorted({kind for subset in subsets for kind in _KINDS_OF_SUBSET.get(subset, ())})
    executor = executor or Executor()
    snapshot = executor.read(*kinds) if kinds else Snapshot({}, {})
    readers = {**_Routing(executor, snapshot, owner, owned_only).readers(), **_filter_readers(table), **_OTHER_READERS}
    found: dict[str, Form] = {}
    for subset in (subset for subset in SUBSETS if subset in subsets):
        try:
            found[subset] = readers[subset]()
        except Unsupported as error:
            # A server without NAT and marks does not need nft.
            if wanted is not None or subset not in _OPTIONAL_SUBSETS:
                raise
            found.setdefault("left_out", {})[subset] = str(error)
    return found


_OTHER_READERS: Mapping[str, Callable[[], Form]] = {
    "checkpoints": checkpoints.read,
    "keeper": keeper_report.read,
    "line_health": keeper_report.read_health,
    "requirements": requirements.report,
    "dns": stored.report,
}


class _Routing:
    """The subsets that one snapshot of the kernel answers."""

    def __init__(self, executor: Executor, snapshot: Snapshot, owner: int, owned_only: bool) -> None:
        self._executor, self._snapshot, self._owner, self._owned_only = executor, snapshot, owner, owned_only

    def readers(self) -> dict[str, Callable[[], Form]]:
        """Return the reader of each subset."""
        return {
            "ip_aliases": lambda: [alias.as_input() for alias in self._objects("address")],
            "policy_routing": self._policy_routing,
            "foreign_addresses": self._foreign_addresses,
            "interfaces": lambda: learned_addresses(self._snapshot, self._owner),
        }

    def _objects(self, kind: str) -> list[Form]:
        existing = self._snapshot.existing(kind)
        if self._owned_only:
            return [item.object for item in existing if item.owner == self._owner]
        return [item.object for item in existing if not _is_of_kernel(item)]

    def _policy_routing(self) -> Form:
        names = self._executor.names.read(self._owner)
        foreign = {} if self._owned_only else {name.number: name.text for name in names.foreign if name.kind == "table"}
        return {
            "tables": tables_form(self._objects("route"), foreign, names.ours),
            "rules": [rule.as_input() for rule in self._objects("rule")],
            "interface_groups": [
                {"interface": link.name, "group": link.group}
                for link in self._snapshot.links
                if (link.group == self._owner if self._owned_only else link.group)
            ],
        }

    def _foreign_addresses(self) -> list[str]:
        existing = self._snapshot.addresses()
        foreign = (item for item in existing if item.owner != self._owner and not _is_of_kernel(item))
        addresses = {item.object.bare for item in foreign}
        return sorted(address for address in addresses if not is_local_only(address))


def _filter_readers(table: str) -> dict[str, Callable[[], Form]]:
    """Return the readers of the subsets that packet filters answer; NAT rules are read once for both of theirs."""
    nat_states = functools.lru_cache(maxsize=None)(lambda: nat_engine.read_states(table))
    return {
        "nat_rules": lambda: nat_engine.entries(nat_states()),
        "forward_policy": lambda: forward_engine.configured(table),
        "connection_marks": lambda: mark_engine.configured(table).as_input(),
        "nat_counters": lambda: nat_engine.entries_with_counters(nat_states()),
        "taken_translations": lambda: nat_engine.taken_now(table),
    }


def _is_of_kernel(existing: Existing[Form]) -> bool:
    return existing.owner in _KERNEL_OWNERS[existing.handle.kind]
