# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SCTP without a kernel that speaks it: the first packet of an association (RFC 9260, section 3.3.2), made by hand.

python nat_sctp.py hear FAMILY           prints "ready"; then ports and whether the checksum is right, as JSON, or null
                                         after two seconds of silence
python nat_sctp.py send ADDRESS PORT     sends one INIT from port 40000
"""

from __future__ import annotations

import json
import socket
import struct
import sys

PROTOCOL = 132
HEADER = struct.Struct("!HHII")  # source port, destination port, verification tag, checksum
# Type INIT, flags, length; initiate tag, window, streams out and in, first sequence number.
INIT = struct.pack("!BBHIIHHI", 1, 0, 20, 0x12345678, 65536, 1, 1, 1)
SOURCE_PORT = 40000


def crc32c(data: bytes) -> int:
    """Return the checksum of RFC 9260, appendix A, as a number whose bytes go out lowest first."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _bit in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def packet(source_port: int, port: int) -> bytes:
    """Return an INIT with its checksum."""
    bare = HEADER.pack(source_port, port, 0, 0) + INIT
    return bare[:8] + struct.pack("<I", crc32c(bare)) + bare[12:]


def read(found: bytes) -> dict[str, object]:
    """Return ports of a packet, and whether its checksum is right."""
    source_port, port, _tag, _checksum = HEADER.unpack_from(found)
    bare = found[:8] + bytes(4) + found[12:]
    return {"from": source_port, "port": port, "whole": struct.pack("<I", crc32c(bare)) == found[8:12]}


def main(arguments: list[str]) -> None:
    """Do what the first argument says."""
    if arguments[0] == "send":
        family = socket.AF_INET6 if ":" in arguments[1] else socket.AF_INET
        with socket.socket(family, socket.SOCK_RAW, PROTOCOL) as client:
            client.sendto(packet(SOURCE_PORT, int(arguments[2])), (arguments[1], 0))
        return
    family = socket.AF_INET6 if arguments[1] == "6" else socket.AF_INET
    with socket.socket(family, socket.SOCK_RAW, PROTOCOL) as server:
        server.settimeout(2)
        print("ready", flush=True)
        try:
            found = server.recv(1000)
        except TimeoutError:
            found = b""
    # A raw IPv4 socket gives the IP header as well.
    start = (found[0] & 15) * 4 if found and family == socket.AF_INET else 0
    print(json.dumps(read(found[start:]) if found else None))


if __name__ == "__main__":
    main(sys.argv[1:])
