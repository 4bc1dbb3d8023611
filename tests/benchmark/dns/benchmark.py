# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""DNS that follows the lines: from the verdict to the answer of the server, updates that compete, and clients."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.multihome.linux.tests.lab.waiting import eventually

from ...integration.dns.counting import EACH, WRITERS, count
from ...integration.dns.servers import KEY, KINDS, NAMES, ZONE, NameServer
from ...integration.dns.test_publishing import RECORDS, A, B, judge, published
from ...integration.keeper.host import Kept
from ...integration.namespaces import Hosts
from ..figures import Figure, Report
from . import clients

TITLE = "DNS: an address is withdrawn after its line's verdict; writers that compete; clients of the name"
ROUNDS = 10


def measure(say: Callable[[str], None]) -> Report:
    """Withdraw and restore an address on each server, and count with several writers."""
    figures: list[Figure] = []
    data: dict[str, Any] = {}
    for name in NAMES:
        with Hosts("host") as hosts, tempfile.TemporaryDirectory() as directory:
            say(name)
            server = KINDS[name](hosts["host"], Path(directory) / name)
            server.start()
            total, conflicts = count(server)
            withdrawn, restored = _follow(server, Path(directory))
            server.stop()
        data[name] = {"withdrawn": withdrawn, "restored": restored, "sum": total, "conflicts": conflicts}
        figures += [
            Figure(f"{name}: withdrawn after the verdict, median", statistics.median(withdrawn), " s"),
            Figure(f"{name}: withdrawn after the verdict, slowest of {ROUNDS}", max(withdrawn), " s", at_most=2.0),
            Figure(f"{name}: restored, slowest of {ROUNDS}", max(restored), " s"),
            Figure(
                f"{name}: sum of {WRITERS * EACH} increments by {WRITERS} writers",
                total,
                at_least=WRITERS * EACH,
                note=f"{conflicts} updates met another one and were repeated",
            ),
        ]
    more, table, requests = clients.measure(say)
    return Report([*figures, *more], {**data, "clients": requests}, table)


def _follow(server: NameServer, directory: Path) -> tuple[list[float], list[float]]:
    """Return the seconds until an address was withdrawn, and until it was restored, of each round."""
    keeper = Kept(server.host, directory)
    server.host.run("mkdir", "-p", "/etc/multihome")
    keeper.start()
    try:
        keeper.run("dns_records", zone=ZONE, servers=[server.address], records=RECORDS, **KEY.options())
        judge(server, a=True, b=True)
        eventually(lambda: published(server, A, B), keeper.log)
        withdrawn, restored = [], []
        for _round in range(ROUNDS):
            withdrawn.append(_seconds(server, keeper, (B,), a=False, b=True))
            restored.append(_seconds(server, keeper, (A, B), a=True, b=True))
    finally:
        keeper.stop()
    return withdrawn, restored


def _seconds(server: NameServer, keeper: Kept, addresses: tuple[str, ...], **lines: bool) -> float:
    judge(server, **lines)
    begin = time.monotonic()
    eventually(lambda: published(server, *addresses), keeper.log)
    return time.monotonic() - begin
