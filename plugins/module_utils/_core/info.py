# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands on a host, each kind in the input form of the module that manages it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import requirements
from .engines import parse_owner, tables_form
from .kernel import Kernel
from .plan import Existing
from .snapshot import Snapshot

SUBSETS = ("ip_aliases", "policy_routing", "requirements")
_KINDS_OF_SUBSET = {"ip_aliases": ("address",), "policy_routing": ("route", "rule")}


def gather(subsets: Sequence[str], owner: int, owned_only: bool, kernel: Kernel | None = None) -> dict[str, Any]:
    """Return ``{subset: state}`` from one dump of each kind that is needed.

    With ``owned_only`` only objects with the owner tag count; without it everything that the model has words for, as
    far as it is configuration: what the kernel itself makes (its local table, connected routes) is left out.
    Raises Unsupported when what reads a subset is missing.
    """
    parse_owner(owner)
    kinds = sorted({kind for subset in subsets for kind in _KINDS_OF_SUBSET.get(subset, ())})
    snapshot = (kernel or Kernel()).read(*kinds) if kinds else Snapshot({}, {})

    def objects(kind: str) -> list[Any]:
        return [
            e.object for e in snapshot.existing(kind) if (e.owner == owner if owned_only else not _made_by_kernel(e))
        ]

    readers: dict[str, Callable[[], Any]] = {
        "ip_aliases": lambda: [alias.as_input() for alias in objects("address")],
        "policy_routing": lambda: {
            "tables": tables_form(objects("route"), {}),
            "rules": [rule.as_input() for rule in objects("rule")],
        },
        "requirements": requirements.report,
    }
    return {subset: readers[subset]() for subset in SUBSETS if subset in subsets}


def _made_by_kernel(existing: Existing[Any]) -> bool:
    # RTPROT_KERNEL and IFAPROT_KERNEL_LO..LL: routes of connected networks, loopback and link-local addresses.
    return existing.owner in {"route": (2,), "address": (1, 2, 3), "rule": (2,)}[existing.handle.kind]
