# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands on a host, each kind in the input form of the module that manages it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

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
from ..routing.owner import parse_owner
from ..routing.snapshot import Snapshot

_OPTIONAL_SUBSETS = ("nat_rules", "forward_policy", "connection_marks")
STATE_SUBSETS = ("ip_aliases", "policy_routing", *_OPTIONAL_SUBSETS)
SUBSETS = (*STATE_SUBSETS, "nat_counters", "foreign_addresses", "interfaces", "keeper", "requirements")
_KINDS_OF_SUBSET = {
    "ip_aliases": ("address",),
    "policy_routing": ("route", "rule", "link"),
    "foreign_addresses": ("address",),
    "interfaces": ("address", "route"),
}


def gather(
    wanted: Sequence[str] | None,
    owner: int,
    owned_only: bool,
    table: str = DEFAULT_TABLE,
    executor: Executor | None = None,
) -> dict[str, Any]:
    """Return ``{subset: state}`` from one dump of each kind that is needed; None stands for all that holds state.

    With ``owned_only`` only objects with the owner tag count; without it everything that the model has words for, as
    far as it is configuration: what the kernel itself makes (its local table, connected routes) is left out.
    Raises Unsupported when what reads a wanted subset is missing; when all are asked for, that one is left out and
    ``left_out`` names it with the reason.
    """
    subsets = STATE_SUBSETS if wanted is None else wanted
    parse_owner(owner)
    kinds = sorted({kind for subset in subsets for kind in _KINDS_OF_SUBSET.get(subset, ())})
    executor = executor or Executor()
    snapshot = executor.read(*kinds) if kinds else Snapshot({}, {})

    def objects(kind: str) -> list[Any]:
        return [
            e.object for e in snapshot.existing(kind) if (e.owner == owner if owned_only else not _made_by_kernel(e))
        ]

    def foreign_addresses() -> list[str]:
        found = (e for e in snapshot.addresses() if e.owner != owner and not _made_by_kernel(e))
        addresses = {existing.object.bare for existing in found}
        return sorted(address for address in addresses if not is_local_only(address))

    def policy_routing() -> dict[str, Any]:
        names = executor.names.read(owner)
        foreign = {} if owned_only else {name.number: name.text for name in names.foreign if name.kind == "table"}
        return {
            "tables": tables_form(objects("route"), foreign, names.ours),
            "rules": [rule.as_input() for rule in objects("rule")],
            "interface_groups": [
                {"interface": link.name, "group": link.group}
                for link in snapshot.links
                if (link.group == owner if owned_only else link.group)
            ],
        }

    def connection_marks() -> dict[str, Any]:
        return mark_engine.configured(table).as_input()

    nat_states = functools.lru_cache(maxsize=None)(lambda: nat_engine.read_states(table))
    readers: dict[str, Callable[[], Any]] = {
        "ip_aliases": lambda: [alias.as_input() for alias in objects("address")],
        "policy_routing": policy_routing,
        "nat_rules": lambda: nat_engine.entries(nat_states()),
        "forward_policy": lambda: forward_engine.configured(table),
        "connection_marks": connection_marks,
        "nat_counters": lambda: nat_engine.entries_with_counters(nat_states()),
        "foreign_addresses": foreign_addresses,
        "interfaces": lambda: learned_addresses(snapshot, owner),
        "keeper": keeper_report.read,
        "requirements": requirements.report,
    }
    found: dict[str, Any] = {}
    for subset in (subset for subset in SUBSETS if subset in subsets):
        try:
            found[subset] = readers[subset]()
        except Unsupported as error:
            # A server without NAT and marks has no need of nft.
            if wanted is not None or subset not in _OPTIONAL_SUBSETS:
                raise
            found.setdefault("left_out", {})[subset] = str(error)
    return found


def _made_by_kernel(existing: Existing[Any]) -> bool:
    # RTPROT_KERNEL and IFAPROT_KERNEL_LO..LL: routes of connected networks, loopback and link-local addresses.
    return existing.owner in {"route": (2,), "address": (1, 2, 3), "rule": (2,)}[existing.handle.kind]
