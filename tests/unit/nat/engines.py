# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine on an nft or iptables that is given, with nothing configured anywhere else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ansible_collections.multihome.linux.plugins.module_utils._core.filters.backend import Current
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.iptables import Iptables
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.nftables import Nftables, Runner
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.selection import Selection
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.backend import NatBackend
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.engine import NatEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.iptables import IptablesBackend
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.nftables import NftablesBackend
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.nftables_state import NftablesState
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.plan import NatPlan
from ansible_collections.multihome.linux.tests.unit.nat.fake_iptables import FakeIptables

# /proc/net of a host that has IPv6, and no table of iptables' legacy variant.
_proc_net = TemporaryDirectory()
PROC_NET = Path(_proc_net.name)
(PROC_NET / "if_inet6").touch()


def selection(nft: Runner, table: str = "multihome") -> Selection[NatBackend]:
    """The selection of nftables, by this program."""
    return Selection("nftables", "selected by the test", NftablesBackend(Nftables(table, nft)))


def nft_engine(listed: Sequence[Any], nft: Runner, purge: bool = False) -> NatEngine:
    """The engine on this program."""
    return NatEngine(listed, purge=purge, selection=selection(nft))


def plan_on(state: NftablesState, listed: Sequence[Any], purge: bool = False) -> NatPlan:
    """The plan from a state that was read."""

    def no_program(_arguments: Sequence[str], _text: str | None) -> tuple[int, str, str]:
        raise AssertionError("a plan runs nothing")

    return nft_engine(listed, no_program, purge).plan(Current(state))


def iptables_engine(
    fake: FakeIptables, listed: Sequence[Any], purge: bool = True, proc_net: Path = PROC_NET
) -> NatEngine:
    """The engine on iptables in memory."""
    backend = IptablesBackend("multihome", Iptables(fake, fake.tool, str(proc_net)))
    return NatEngine(listed, purge=purge, selection=Selection("iptables", "selected by the test", backend))
