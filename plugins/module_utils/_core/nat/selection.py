# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backend translates on this host, and why."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InvalidInput
from ..filters.nftables import Nftables
from ..filters.selection import BACKENDS, iptables_has, missing, pick
from .backend import Backend
from .nftables import NftablesBackend


@dataclass(frozen=True)
class Choice:
    """The backend that translates, and why. ``other`` is one that the host may be moved from, where it is there."""

    backend: Backend
    reason: str
    other: Backend | None = None


def choose(wanted: str, table: str) -> Choice:
    """Return the choice for ``auto``, ``nftables`` or ``iptables``.

    Raises Unsupported when it is missing or too old (for ``auto``: when both are), InvalidInput when the backend cannot
    write the table's name.
    """
    name, reason = pick(wanted)
    other = next(candidate for candidate in BACKENDS if candidate != name)
    is_other_here = (name == "iptables" or iptables_has("nat", Nftables(table))) and missing(other) is None
    return Choice(_backend(name, table), reason, _to_leave(other, table) if is_other_here else None)


def available(table: str) -> list[Backend]:
    """Return the backends that can be read here; raises Unsupported for nft when there is none."""
    fault = missing("nftables")
    found = [backend for name in BACKENDS if not missing(name) for backend in [_to_leave(name, table)] if backend]
    if not found and fault is not None:
        raise fault
    return found


def _backend(name: str, table: str, in_charge: bool = True) -> Backend:
    if name == "nftables":
        return NftablesBackend(Nftables(table))
    # Loaded only where it is needed: modules that Ansible sends to a host are compiled there in every run.
    from .iptables import IptablesBackend  # noqa: PLC0415 - as said

    return IptablesBackend(table, in_charge=in_charge)


def _to_leave(name: str, table: str) -> Backend | None:
    try:
        return _backend(name, table, in_charge=False)
    except InvalidInput:
        # A name that this backend cannot write: nothing of ours can stand there.
        return None
