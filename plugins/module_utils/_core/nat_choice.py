# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backend translates on this host, and why."""

from __future__ import annotations

from dataclasses import dataclass

from . import requirements
from .errors import InvalidInput, Unsupported
from .iptables_programs import Iptables
from .nat_backend import Backend
from .nat_iptables import IptablesBackend
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
    missing = {name: _missing(name) for name in BACKENDS}
    name, reason = wanted, f"backend: {wanted} was asked for"
    if wanted == "auto":
        name, reason = "nftables", "auto prefers nftables"
        fault = missing["nftables"]
        if fault is not None and missing["iptables"] is None:
            name, reason = "iptables", f"auto prefers nftables, but {fault}"
    fault = missing[name]
    if fault is not None:
        raise fault
    other = next(candidate for candidate in BACKENDS if candidate != name)
    return Choice(_backend(name, table), reason, None if missing[other] else _to_leave(other, table))


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
