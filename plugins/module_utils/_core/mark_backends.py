# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packet filter keeps the marks of this host."""

from __future__ import annotations

from . import requirements
from .errors import Unsupported
from .mark_iptables import IptablesMarks
from .mark_nftables import NftablesMarks
from .mark_standing import Backend

BACKENDS = ("auto", "nftables", "iptables")


def choose(backend: str, table: str) -> Backend:
    """Return the backend that was asked for; ``auto`` is nftables, or iptables where there is no fit nft.

    Raises Unsupported when there is neither, InvalidInput for a table that the backend cannot name.
    """
    if backend == "iptables" or (backend == "auto" and not _has_nft() and requirements.tool("iptables-restore")):
        return IptablesMarks(table)
    return NftablesMarks(table)


def _has_nft() -> bool:
    try:
        requirements.nft()
    except Unsupported:
        return False
    return True
