# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tracked connections that were initiated inside over a line that died: their entries are deleted.

Their next packets then use the line that the routes lead to by now. Connections that came in by the line are not
touched: they are served as long as the line carries anything at all.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from ..nat.conntrack import Conntrack, Flow
from .model import Line

KEEP, ABORT = "keep", "abort"
# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h
_SOCKET_DIAGNOSIS, _DESTROY = 4, 21
_REQUEST, _ACK, _ERROR = 0x1, 0x4, 2
_HEADER = struct.Struct("=IHHII")
_ALL_STATES, _NO_COOKIE = 0xFFFFFFFF, b"\xff" * 8
_PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}


def initiated_inside(flow: Flow, line: Line, lines: Sequence[Line]) -> bool:
    """Tell whether a connection was initiated inside and leaves by a line of this host.

    Its answers come to an address of the line, be it the sender's own or the one that it is translated to. Where
    several lines have that address, the mark tells the line.
    """
    address = flow.reply.destination
    if address not in line.addresses:
        return False
    if not any(address in other.addresses for other in lines if other is not line):
        return True
    return line.mark is not None and flow.mark & line.mark[1] == line.mark[0]


def end_flows(
    dead: Sequence[tuple[Line, int]], lines: Sequence[Line], conntrack: Conntrack | None = None
) -> dict[str, int]:
    """Delete the entries of connections over dead lines, each with its family; return their number by line.

    Raises Unsupported or ReadFailed where the kernel lists no connections.
    """
    concerned = [(line, family) for line, family in dead if line.flows != KEEP]
    if not concerned:
        return {}
    tracked = conntrack or Conntrack()
    found: dict[str, list[Flow]] = {}
    for flow in tracked.flows(only_translated=False):
        for line, family in concerned:
            if flow.family == family and initiated_inside(flow, line, lines):
                found.setdefault(line.name, []).append(flow)
                break
    aborted = {line.name for line, _family in concerned if line.flows == ABORT}
    for name, flows in found.items():
        tracked.delete(flows)
        if name in aborted:
            end_sockets(flows)
    return {name: len(flows) for name, flows in found.items()}


def end_sockets(flows: Iterable[Flow]) -> int:
    """End the sockets of this host that connections belong to; return how many there were.

    Their programs see an error (ECONNABORTED). A kernel without SOCK_DESTROY ends none.
    """
    ended = 0
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCKET_DIAGNOSIS) as connected:
        connected.bind((0, 0))
        for number, flow in enumerate(flows):
            if flow.protocol in _PROTOCOLS:
                connected.send(_request(flow, number))
                ended += _was_ended(connected.recv(1 << 16))
    return ended


def _request(flow: Flow, number: int) -> bytes:
    family = socket.AF_INET if flow.family == 4 else socket.AF_INET6
    own = flow.original
    addresses = b"".join(ip_address(each).packed.ljust(16, b"\0") for each in (own.source, own.destination))
    identity = struct.pack(">HH", own.source_port or 0, own.destination_port or 0) + addresses
    content = struct.pack("=BBBxI", family, _PROTOCOLS[flow.protocol], 0, _ALL_STATES)
    content += identity + struct.pack("=I", 0) + _NO_COOKIE
    return _HEADER.pack(_HEADER.size + len(content), _DESTROY, _REQUEST | _ACK, number, 0) + content


def _was_ended(answer: bytes) -> bool:
    _length, kind, _flags, _sequence, _port = _HEADER.unpack_from(answer)
    code = -struct.unpack_from("=i", answer, _HEADER.size)[0] if kind == _ERROR else errno.EINVAL
    return code == 0
