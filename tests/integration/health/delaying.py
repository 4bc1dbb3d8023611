# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m …delaying INTERFACE LEAST MOST`: a forwarder in user space that delays each packet by chance, in seconds.

It makes the TUN interface, and gives back every packet that is routed into it. Packets overtake one another, as they do
where a line has jitter. The kernel of the tests has no netem.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import random
import select
import struct
import sys
import time

_SET_INTERFACE = 0x400454CA  # TUNSETIFF
_TUN, _NO_PACKET_INFO = 0x0001, 0x1000
_LARGEST = 1 << 16


def main(interface: str, least: float, most: float) -> None:
    """Forward until killed; "ready" is printed when the interface is there."""
    tunnel = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tunnel, _SET_INTERFACE, struct.pack("16sH22x", interface.encode(), _TUN | _NO_PACKET_INFO))
    print("ready", flush=True)
    waiting: list[tuple[float, bytes]] = []
    while True:
        patience = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        if select.select([tunnel], [], [], patience)[0]:
            packet = os.read(tunnel, _LARGEST)
            heapq.heappush(waiting, (time.monotonic() + random.uniform(least, most), packet))
        while waiting and waiting[0][0] <= time.monotonic():
            os.write(tunnel, heapq.heappop(waiting)[1])


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
