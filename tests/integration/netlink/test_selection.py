# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selected routes of a real kernel: the same whether the kernel selects or, as before 4.20, their bytes are checked."""

from __future__ import annotations

import json
import os
import sys

from ansible_collections.multihome.linux.tests.integration.namespaces import Hosts

_SCRIPT = """
import json
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import Netlink, RouteFilter
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.transport import NetlinkSocket

FILTERS = [
    [RouteFilter(protocol=109)],
    [RouteFilter(1001)],
    [RouteFilter(200, 12)],
    [RouteFilter(1001, 109, 10)],
    [RouteFilter(5000)],
    [RouteFilter(254, None, 2, frozenset([(bytes((10, 12, 0, 0)), 16)]))],
    [RouteFilter(1001, None, 10, frozenset([(b"", 0)]))],
    [RouteFilter(1001, None, 2), RouteFilter(1002, None, 10)],
]

def place(message):
    return [message.header["family"], message.get("RTA_TABLE"), message.get("RTA_DST"), message.header["proto"]]

def found():
    with Netlink() as kernel:
        selected = [sorted(map(repr, map(place, kernel.dump("route", filters)))) for filters in FILTERS]
        return selected, [len(kernel.dump(kind)) for kind in ("route", "rule", "address")]

strict = NetlinkSocket.check_strictly
def check(self, on):
    assert strict(self, on)
    return True
NetlinkSocket.check_strictly = check
selected = found()
NetlinkSocket.check_strictly = lambda self, on: False
print(json.dumps([selected, found()]))
"""


def test_the_kernel_selects_the_same_routes_as_a_check_of_all() -> None:
    with Hosts("server", "gateway") as hosts:
        hosts.link("server", "eth0", "gateway", "eth0")
        server = hosts["server"]
        server.address("eth0", "192.0.2.1/24", "fd00::1/64")
        lines = [
            line
            for table in (254, 200, 1001, 1002)
            for owner in (109, 12)
            for line in (
                f"route add 10.{owner}.0.0/16 dev eth0 proto {owner} table {table}",
                f"route add fd{owner:02x}::/32 dev eth0 proto {owner} table {table}",
            )
        ]
        lines += ["route add default dev eth0 proto 109 table 1001", "route add ::/0 dev eth0 proto 109 table 1001"]
        server.run("ip", "-batch", "-", feed="\n".join(lines) + "\n")
        path = os.pathsep.join(entry for entry in sys.path if entry.endswith("site-packages"))
        told = server.run("env", f"PYTHONPATH={path}", sys.executable, "-c", _SCRIPT).stdout
    by_kernel, by_bytes = json.loads(told)
    assert by_kernel == by_bytes
    assert [len(routes) for routes in by_kernel[0]] == [10, 6, 2, 2, 0, 1, 1, 5]
