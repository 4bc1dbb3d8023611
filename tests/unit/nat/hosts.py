# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts in memory whose translations are kept by one backend or the other, for tests of what both must do."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any

from ansible_collections.multihome.linux.plugins.module_utils._core.converge import Outcome, converge
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.iptables import Iptables
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.nftables import Nftables
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.selection import Selection
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.backend import NatBackend
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.engine import NatEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.iptables import IptablesBackend
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.nftables import NftablesBackend
from ansible_collections.multihome.linux.tests.unit.nat.engines import PROC_NET
from ansible_collections.multihome.linux.tests.unit.nat.fake_iptables import FakeIptables
from ansible_collections.multihome.linux.tests.unit.nat.fake_nft import FakeNft
from ansible_collections.multihome.linux.tests.unit.nat.iptables_packets import Rules, in_iptables, rules_of
from ansible_collections.multihome.linux.tests.unit.nat.packets import Packet, in_kernel

KINDS = ("nft 1.0.6", "nft 1.1.3", "iptables")


class FakeHost:
    """A host with both backends. ``kind`` says which of them is used, and its version."""

    def __init__(self, kind: str) -> None:
        self.nft = FakeNft(kind.partition(" ")[2] or "1.0.6")
        self.iptables = FakeIptables()
        self.uses_nft = kind.startswith("nft")
        self._seen_after = -1
        self._objects: list[dict[str, Any]] = []
        self._saved: dict[int, Rules] = {}

    def backend(self, uses_nft: bool, in_charge: bool = True) -> NatBackend:
        """Return one of the backends."""
        if uses_nft:
            return NftablesBackend(Nftables("multihome", self.nft))
        programs = Iptables(self.iptables, self.iptables.tool, str(PROC_NET))
        return IptablesBackend("multihome", programs, in_charge)

    def engine(self, listed: Sequence[Any], purge: bool = True) -> NatEngine:
        """Return the engine on the backend in use, with the other one to move from."""
        name = "nftables" if self.uses_nft else "iptables"
        other = self.backend(not self.uses_nft, in_charge=False)
        selection = Selection(name, "selected by the test", self.backend(self.uses_nft), other)
        return NatEngine(listed, purge=purge, selection=selection)

    def run(self, listed: Sequence[Any], purge: bool = True, check: bool = False) -> tuple[NatEngine, Outcome[Any]]:
        """One run of the engine; in check mode a write is an error."""
        self.nft.read_only = self.iptables.read_only = check
        engine = self.engine(listed, purge)
        return engine, converge(engine, check, contextlib.nullcontext)

    @property
    def written(self) -> int:
        """How many transactions were accepted."""
        return len(self.nft.written) + len(self.iptables.written)

    def result(self, packet: Packet) -> tuple[Any, ...] | None:
        """Return the result of a packet in the backend in use; AssertionError when the other one translates too."""
        if self._seen_after != self.written:
            # Printed once for all packets of a test.
            self._seen_after, self._objects = self.written, self.objects()
            self._saved = {family: rules_of(self.iptables.saved(family)) for family in (4, 6)}
        results = [in_kernel(self._objects, packet), in_iptables(self._saved[packet.family], packet)]
        if not self.uses_nft:
            results.reverse()
        assert results[1] is None, "translated by both"
        return results[0]

    def objects(self) -> list[dict[str, Any]]:
        """What nft shows of our table."""
        status, output, _errors = self.nft(["-j", "list", "table", "inet", "multihome"], None)
        return list(json.loads(output)["nftables"]) if status == 0 else []
