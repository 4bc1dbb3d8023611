# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One parser per kind of value. Each takes what a user wrote, returns its one canonical form, or raises ValueError.

The text of the ValueError is the reason alone ("not an IP address"); model.py adds which entry and which field.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Callable

Parser = Callable[[Any], Any]

# Number -> name as /etc/iproute2/rt_protos has them; used to name the owner of a foreign object.
PROTOCOL_NAMES: dict[int, str] = {
    0: "unspecified",
    1: "redirect",
    2: "kernel",
    3: "boot",
    4: "static",
    9: "router advertisement",
    11: "zebra",
    12: "bird",
    16: "dhcp",
    18: "keepalived",
    109: "multihome",
    186: "bgp",
    188: "ospf",
    189: "rip",
    192: "eigrp",
}

# RFC 5237 / IANA protocol numbers of the protocols that entries may name.
IP_PROTOCOLS: dict[str, int] = {
    "icmp": 1,
    "tcp": 6,
    "udp": 17,
    "dccp": 33,
    "gre": 47,
    "esp": 50,
    "icmpv6": 58,
    "sctp": 132,
    "udplite": 136,
}
# ansible.module_utils.parsing.convert_bool
_YES, _NO = ("true", "yes", "on", "1", "t", "y"), ("false", "no", "off", "0", "f", "n")


def owner_name(protocol: int) -> str:
    """Return a protocol number as people read it: ``protocol 186 (bgp)``."""
    name = PROTOCOL_NAMES.get(protocol)
    return f"protocol {protocol} ({name})" if name else f"protocol {protocol}"


def version_tuple(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: ``0.7.2.dev3`` is (0, 7, 2)."""
    numbers = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in numbers[0].split(".")) if numbers else ()


def text(value: Any) -> str:
    """Return a non-empty single-line string."""
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError("not a printable, non-empty string")
    return value


def integer(low: int, high: int) -> Parser:
    """Return a parser of whole numbers from ``low`` to ``high``; accepts decimal strings, as templates produce them."""

    def parse(value: Any) -> int:
        # int() alone would also take "1_0", " 1" and digits of other scripts.
        if isinstance(value, bool) or not re.fullmatch("-?[0-9]+", str(value)):
            raise ValueError("not a whole number")
        number = int(value)
        if not low <= number <= high:
            raise ValueError(f"not within {low} to {high}")
        return number

    return parse


def boolean(value: Any) -> bool:
    """Return a boolean for one, or for a word that Ansible takes for one: an inventory in INI form has words only."""
    word = str(value).lower()
    if word not in _YES + _NO:
        raise ValueError("neither true nor false")
    return word in _YES


def choice(*allowed: str) -> Parser:
    """Return a parser that accepts only the given words."""

    def parse(value: Any) -> str:
        if value not in allowed:
            raise ValueError("not one of " + ", ".join(allowed))
        return str(value)

    return parse


def interface(value: Any) -> str:
    """Return an interface name: 1 to 15 bytes without '/', ':' or white space (Linux ``dev_valid_name``)."""
    # YAML takes a name of digits alone for a number.
    name = text(str(value) if isinstance(value, int) and not isinstance(value, bool) else value)
    if len(name.encode()) > 15:
        raise ValueError("an interface name has at most 15 bytes")
    if name in (".", "..") or re.search(r"[/:\s]", name):
        raise ValueError("not an interface name")
    return name


def _address(value: Any) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        parsed = ipaddress.ip_address(text(value))
    except ValueError:
        raise ValueError("not an IP address") from None
    if getattr(parsed, "scope_id", None):
        raise ValueError("an address with a zone; name the interface instead")
    return parsed


def address(value: Any) -> str:
    """Return one IPv4 or IPv6 address in canonical text, without a prefix length."""
    return str(_address(value))


def host(value: Any) -> str:
    """Return the address of one host in canonical text: not ``0.0.0.0``, ``::`` or a multicast address."""
    parsed = _address(value)
    if parsed.is_multicast or parsed.is_unspecified or str(parsed) == "255.255.255.255":
        raise ValueError("not the address of a host")
    return str(parsed)


def is_link_local(value: str) -> bool:
    """Tell whether a canonical address means something on one IPv6 link only (fe80::/10)."""
    return ":" in value and ipaddress.ip_address(value).is_link_local


def is_local_only(value: str) -> bool:
    """Tell whether a canonical address is a loopback or link-local one, which no packet to elsewhere carries."""
    return ipaddress.ip_address(value).is_loopback or is_link_local(value)


def host_address(value: Any) -> str:
    """Return ``ADDRESS/LENGTH`` of one host; without a length it is that single address (/32 or /128)."""
    written = text(value)
    head, slash, length = written.partition("/")
    parsed = ipaddress.ip_address(host(head))
    if slash and not (re.fullmatch("[0-9]{1,3}", length) and 0 < int(length) <= parsed.max_prefixlen):
        raise ValueError(f"prefix length is not within 1 to {parsed.max_prefixlen}")
    result = ipaddress.ip_interface(f"{parsed}/{int(length) if slash else parsed.max_prefixlen}")
    if parsed.version == 4 and result.network.prefixlen < 31:
        if parsed == result.network.network_address:
            raise ValueError(f"the address of the network {result.network}, not of a host")
        if parsed == result.network.broadcast_address:
            raise ValueError(f"the broadcast address of {result.network}, not of a host")
    return str(result)


def prefix(value: Any) -> str:
    """Return a network prefix in canonical text, always with its length; host bits must be zero."""
    written = text(value)
    if "%" in written:
        raise ValueError("a prefix with a zone; name the interface instead")
    try:
        return str(ipaddress.ip_network(written))
    except ValueError:
        pass
    try:
        network = ipaddress.ip_network(written, strict=False)
    except ValueError:
        raise ValueError("not an IP prefix") from None
    raise ValueError(f"has host bits set; the prefix is {network}, the host {written.partition('/')[0]}")


def destination(value: Any) -> str:
    """Return ``default`` or a prefix in canonical text."""
    return "default" if value == "default" else prefix(value)


def family_of(value: str) -> int:
    """Return 4 or 6 for a canonical address, host address or prefix."""
    return 6 if ":" in value else 4


def is_everything(value: str) -> bool:
    """Tell whether a canonical prefix is 0.0.0.0/0 or ::/0, which selects as much as no prefix at all."""
    return value in ("0.0.0.0/0", "::/0")


def short_prefix(value: str) -> str:
    """Return a canonical prefix as people write it: a prefix of full length is the address alone."""
    head, _slash, length = value.partition("/")
    return head if int(length) == (128 if ":" in head else 32) else value


def port_range(value: Any) -> tuple[int, int]:
    """Return ``(first, last)`` for 80, "80" or "5000-6000"."""
    match = re.fullmatch("([0-9]{1,6})(?:-([0-9]{1,6}))?", str(value)) if isinstance(value, (int, str)) else None
    if not match or isinstance(value, bool):
        raise ValueError("not a port or a range FIRST-LAST")
    first = int(match[1])
    last = int(match[2] or first)
    for port in (first, last):
        if not 1 <= port <= 65535:
            raise ValueError(f"port {port} is not within 1 to 65535")
    if first > last:
        raise ValueError("the range runs backwards")
    return first, last


def port_text(ports: tuple[int, int]) -> str:
    """Return a port range as it is written in an entry."""
    return str(ports[0]) if ports[0] == ports[1] else f"{ports[0]}-{ports[1]}"


def mark(value: Any) -> tuple[int, int]:
    """Return ``(mark, mask)`` for 1, "0x1" or "0x1/0xff"; without a mask all 32 bits count."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError("not a mark")
    # No leading zero: some tools read 010 as eight, some as ten.
    number_text = "0[xX][0-9a-fA-F]+|0|[1-9][0-9]*"
    match = re.fullmatch(f"({number_text})(?:/({number_text}))?", str(value))
    if not match:
        raise ValueError("not a mark MARK or MARK/MASK")
    number, mask = int(match[1], 0), int(match[2] or "0xffffffff", 0)
    if not (0 <= number <= 0xFFFFFFFF and 0 < mask <= 0xFFFFFFFF):
        raise ValueError("mark and mask have 32 bits, and the mask is not zero")
    if number & ~mask:
        raise ValueError(f"mark 0x{number:x} has bits outside its mask 0x{mask:x}, so it never matches")
    return number, mask


def mark_text(value: tuple[int, int]) -> str:
    """Return a mark as ``ip rule`` prints it."""
    return f"0x{value[0]:x}" if value[1] == 0xFFFFFFFF else f"0x{value[0]:x}/0x{value[1]:x}"


def ip_protocol(value: Any) -> int:
    """Return the number of an IP protocol given by name or number (1 to 255)."""
    if isinstance(value, str) and value.lower() in IP_PROTOCOLS:
        return IP_PROTOCOLS[value.lower()]
    try:
        return int(integer(1, 255)(value))
    except ValueError:
        raise ValueError("not an IP protocol: a number from 1 to 255 or one of " + ", ".join(IP_PROTOCOLS)) from None


def ip_protocol_text(value: int) -> str:
    """Return the name of an IP protocol, or its number where it has none here."""
    for name, number in IP_PROTOCOLS.items():
        if number == value:
            return name
    return str(value)
