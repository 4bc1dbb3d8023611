# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A point-to-point interface on two hosts, as a PPP link has: no hardware address, no neighbours, one end opposite.

The kernels that run the tests have no PPP, so a program carries the packets between two tun devices. When it ends, both
interfaces are gone; the next call makes new ones, with another index, as pppd does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from ansible_collections.multihome.linux.tests.integration.learned.lab import FAMILIES
from ansible_collections.multihome.linux.tests.integration.namespaces import Host, Hosts

CUSTOMER, ISP = "ppp0", "dial"
# linux/if_tun.h: TUNSETIFF; IFF_TUN and IFF_NO_PI. sched.h: CLONE_NEWNET.
_CARRY = """
import ctypes, fcntl, os, select, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def opened(name):
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x0001 | 0x1000))
    return device
one = opened(sys.argv[1])
if libc.setns(os.open(f"/proc/{sys.argv[2]}/ns/net", os.O_RDONLY), 0x40000000):
    raise OSError(ctypes.get_errno(), "setns")
other = opened(sys.argv[3])
print("ready", flush=True)
opposite = {one: other, other: one}
while True:
    for device in select.select([one, other], [], [])[0]:
        packet = os.read(device, 65536)
        try:
            os.write(opposite[device], packet)
        except OSError:
            pass  # the other end is not up yet
"""


class Call:
    """A connection to the ISP, from the dialling until ``hang_up``."""

    def __init__(self, hosts: Hosts, addresses: dict[int, str], peer: str) -> None:
        self.host, self._isp, self.addresses = hosts["host"], hosts["isp-b"], addresses
        self._process = self._carry(hosts)
        for host, name in ((self.host, CUSTOMER), (self._isp, ISP)):
            host.run("ip", "link", "set", "dev", name, "up")
        self._isp.run("ip", "address", "add", peer, "peer", addresses[4], "dev", ISP)
        self._isp.run("ip", "-6", "route", "add", f"{addresses[6]}/128", "dev", ISP)
        self.host.run("ip", "address", "add", addresses[4], "peer", peer, "dev", CUSTOMER)
        self.host.run("ip", "address", "add", f"{addresses[6]}/64", "dev", CUSTOMER, "nodad")
        self.index = _index(self.host)

    def _carry(self, hosts: Hosts) -> subprocess.Popen[str]:
        command = (sys.executable, "-c", _CARRY, CUSTOMER, str(hosts["isp-b"].pid), ISP)
        process = self.host.start(*command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def default(self, metric: int, families: Sequence[int] = FAMILIES) -> None:
        """Add the default routes by the interface alone, as pppd does when it is told to."""
        for family in families:
            self.host.run("ip", f"-{family}", "route", "add", "default", "dev", CUSTOMER, "metric", str(metric))

    def hang_up(self) -> None:
        """End it; the interface is gone."""
        self._process.kill()
        self._process.wait()


def _index(host: Host) -> int:
    found: int = json.loads(host.run("ip", "-json", "link", "show", "dev", CUSTOMER).stdout)[0]["ifindex"]
    return found
