# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the two packet filters a host uses for NAT, marks and forwarding, why, and the move from one to the other.

A move is make before break: the new backend gets everything first, then it is removed from the other one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Generic, TypeVar

from ..errors import InvalidInput, MultihomeError, Unsupported
from ..host import requirements
from ..netlink.nftables_presence import table_exists
from .backend import Backend, C, Current, D_contra, S, Step, step
from .iptables import Iptables
from .nftables import Nftables

BACKENDS = ("nftables", "iptables")
B = TypeVar("B")
B_co = TypeVar("B_co", covariant=True)
# From a backend's name, a table's name and whether it is the backend in use to the backend of one subject.
Maker = Callable[[str, str, bool], B]


@dataclass(frozen=True)
class Selection(Generic[B_co]):
    """The backend in use, its name, and why it is used. ``other`` is one that the host may have to be moved from."""

    name: str
    reason: str
    backend: B_co
    other: B_co | None = None
    table: str = ""

    def hides_table(self) -> bool:
        """Return whether the kernel has the table of nftables, which then must not stay beside rules of iptables."""
        return self.name == "iptables" and bool(table_exists(self.table))


def select(wanted: str, table: str, make: Maker[B], *iptables_tables: str) -> Selection[B]:
    """Return the selection for ``auto``, ``nftables`` or ``iptables``.

    One of ``iptables_tables``, tables of iptables, always holds something when this subject is kept there.
    Raises Unsupported when the backend is missing or too old (for ``auto``: when both are), InvalidInput when it cannot
    use the table's name.
    """
    name, reason = pick(wanted)
    backend = make(name, table, True)
    [other] = [candidate for candidate in BACKENDS if candidate != name]
    if other == "nftables":
        _refuse_hidden_table(table)
    may_have = other == "nftables" or any(iptables_has(each, Nftables(table)) for each in iptables_tables)
    return Selection(name, reason, backend, _unless_missing(other, table, make) if may_have else None, table)


def _refuse_hidden_table(table: str) -> None:
    """Raise Unsupported for a table of nftables that exists while nft is missing: both would be in effect."""
    fault = missing("nftables")
    if fault is not None and table_exists(table):
        raise Unsupported(
            f"table inet {table} of nftables",
            "the program nft, to move it to iptables",
            f"the table in the kernel, but {fault}",
            "nothing was changed",
        )


def available(table: str, make: Maker[B]) -> list[B]:
    """Return the backends that can be read here; raises Unsupported for nft when there is none."""
    found = [backend for name in BACKENDS for backend in [_unless_missing(name, table, make)] if backend is not None]
    fault = None if found else missing("nftables")
    if fault is not None:
        raise fault
    return found


def _unless_missing(name: str, table: str, make: Maker[B]) -> B | None:
    if missing(name) is not None:
        return None
    try:
        return make(name, table, False)
    except InvalidInput:
        # This backend cannot use the table's name, so it holds nothing under it.
        return None


def pick(wanted: str) -> tuple[str, str]:
    """Return the backend for ``auto``, ``nftables`` or ``iptables``, and why it is this one.

    Raises Unsupported when it is missing or too old (for ``auto``: when both are).
    """
    name, reason = wanted, f"backend: {wanted} was asked for"
    if wanted == "auto":
        name, reason = "nftables", "auto prefers nftables"
        fault = missing("nftables")
        if fault is not None and missing("iptables") is None:
            name, reason = "iptables", f"auto prefers nftables, but {fault}"
    fault = missing(name)
    if fault is not None:
        raise fault
    return name, reason


def missing(name: str) -> Unsupported | None:
    """Return why a backend cannot be used here; None when it can."""
    try:
        if name == "nftables":
            requirements.nft()
        else:
            Iptables().variant(4)
    except Unsupported as error:
        return error
    return None


def iptables_has(table: str, nftables: Nftables, iptables: Iptables | None = None) -> bool:
    """Return whether a table of iptables, of either variant, may hold something, without running its programs.

    Where it does not, as on most hosts that use nftables, four programs less are started.
    """
    programs = iptables or Iptables()
    try:
        if any(table in programs.legacy_tables(family) for family in (4, 6)):
            return True
        return not {("ip", table), ("ip6", table)}.isdisjoint(nftables.tables())
    except Unsupported:
        return True


def read_both(selection: Selection[Backend[S, D_contra, C]], unreadable: S | None = None) -> Current[S]:
    """Return the state in both backends.

    ``unreadable`` is the state to assume of the other one where it cannot be read; without it, and where the kernel
    says that the table of nftables exists, the error is raised.
    """
    here = selection.backend.read()
    if selection.other is None:
        return Current(here)
    try:
        return Current(here, selection.other.read())
    except MultihomeError:
        if unreadable is None or selection.hides_table():
            raise
        return Current(here, unreadable)


def steps(
    selection: Selection[Backend[S, D_contra, C]], current: Current[S], change: C | None, leaving: C | None
) -> list[Step]:
    """Return the steps of a change here and one in the other backend, where the host leaves that."""
    found = step(selection.backend, change, current.here)
    if selection.other is not None and current.elsewhere is not None:
        found += step(selection.other, leaving, current.elsewhere)
    return found
