# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocols that entries match, by the one text that the model has for each, and as packet filters print them."""

from __future__ import annotations

import functools
import socket

# IANA protocol numbers.
NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "icmpv6": 58, "sctp": 132}
NAMES = {number: name for name, number in NUMBERS.items()}
WITH_PORTS = ("tcp", "udp", "sctp")
FAMILY_OF = {"icmp": 4, "icmpv6": 6}
# In IPv6 these are headers before that of the protocol, and no packet filter matches them as the protocol.
IPV6_EXTENSIONS = ("43", "44", "ah", "60")


def parse(value: str) -> str:
    """Return the text of a protocol as a user writes it: a name, or a number from 1 to 255."""
    if value == "any" or value in NUMBERS:
        return value
    if value.isascii() and value.isdigit() and 1 <= int(value) <= 255:
        return name_of(int(value))
    raise ValueError(f"not one of {', '.join(NUMBERS)}, any, and no number from 1 to 255")


def name_of(number: int) -> str:
    """Return the text of a protocol's number."""
    return NAMES.get(number, str(number))


def number_of(protocol: str) -> int:
    """Return the number of a protocol's text."""
    return NUMBERS.get(protocol) or int(protocol)


@functools.cache
def printed(value: object) -> str | None:
    """Return the text of a protocol as a packet filter prints it, None for anything else.

    They print the names that the host's /etc/protocols has, or numbers.
    """
    if isinstance(value, int):
        return name_of(value)
    if not isinstance(value, str):
        return None
    if value in NUMBERS or value.isdigit():
        return name_of(number_of(value))
    if value == "ipv6-icmp":
        return "icmpv6"
    try:
        return name_of(socket.getprotobyname(value))
    except OSError:
        return None
