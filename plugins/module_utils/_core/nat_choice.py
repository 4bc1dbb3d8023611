# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backend translates on this host, and why."""

from __future__ import annotations

from dataclasses import dataclass

from . import requirements
from .errors import InvalidInput, Unsupported
from .iptables_programs import Iptables
from .nat_backend import Backend
from .nat_nftables import NftablesBackend
from .nftables import Nftables

BACKENDS = ("nftables", "iptables")


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
    name, reason = wanted, f"backend: {wanted} was asked for"
    if wanted == "auto":
        name, reason = "nftables", "auto prefers nftables"
        fault = _missing("nftables")
        if fault is not None and _missing("iptables") is None:
            name, reason = "iptables", f"auto prefers nftables, but {fault}"
    fault = _missing(name)
    if fault is not None:
        raise fault
    other = next(candidate for candidate in BACKENDS if candidate != name)
    is_other_here = (name == "iptables" or iptables_has_nat(Nftables(table))) and _missing(other) is None
    return Choice(_backend(name, table), reason, _to_leave(other, table) if is_other_here else None)


def iptables_has_nat(nftables: Nftables, iptables: Iptables | None = None) -> bool:
    """Tell whether iptables may have something in a nat table, of either variant, without asking its programs.

    Where it has not, as on most hosts that use nftables, four programs less are started.
    """
    programs = iptables or Iptables()
    try:
        if any("nat" in programs.legacy_tables(family) for family in (4, 6)):
            return True
        return not {("ip", "nat"), ("ip6", "nat")}.isdisjoint(nftables.tables())
    except Unsupported:
        return True


def available(table: str) -> list[Backend]:
    """Return the backends that can be read here; raises Unsupported for nft when there is none."""
    fault = _missing("nftables")
    found = [backend for name in BACKENDS if not _missing(name) for backend in [_to_leave(name, table)] if backend]
    if not found and fault is not None:
        raise fault
    return found


def _backend(name: str, table: str, in_charge: bool = True) -> Backend:
    if name == "nftables":
        return NftablesBackend(Nftables(table))
    # Loaded only where it is needed: modules that Ansible sends to a host are compiled there in every run.
    from .nat_iptables import IptablesBackend  # noqa: PLC0415 - as said

    return IptablesBackend(table, in_charge=in_charge)


def _to_leave(name: str, table: str) -> Backend | None:
    try:
        return _backend(name, table, in_charge=False)
    except InvalidInput:
        # A name that this backend cannot write: nothing of ours can stand there.
        return None


def _missing(name: str) -> Unsupported | None:
    try:
        if name == "nftables":
            requirements.nft()
        else:
            Iptables().variant(4)
    except Unsupported as error:
        return error
    return None
