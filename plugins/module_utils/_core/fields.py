# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One parser per kind of value, and the one way in which messages show a value.

A parser takes what a user wrote and returns its one canonical form, or raises ValueError. The text of the ValueError is
the reason alone ("not an IP address"); the caller adds which entry and which field. Modules and the controller use the
same parsers, so that what the controller accepts is accepted on every host.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Callable

Parser = Callable[[Any], Any]

# What a message shows of one value, and of one list of names.
_LONGEST_SHOWN = 60
_MOST_LISTED = 8

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
# No leading zero: some tools read 010 as eight, some as ten.
_MARK_NUMBER = "0[xX][0-9a-fA-F]+|0|[1-9][0-9]*"
_LARGEST_MARK = 0xFFFFFFFF
# What nft, iptables and sysctl.d can all write. A trailing plus is a wildcard of iptables, an asterisk one of nft.
_FILTERED_INTERFACE = re.compile(r"[A-Za-z0-9._@~-]+")
_LINE_NAME = re.compile(r"[a-z0-9_-]+")
# `ip` takes these for the tables that every host has, and numbers in any notation for the table of that number.
_TABLE = re.compile(r"all|default|local|main|unspec|[0-9]+|0x[0-9a-f]+")
# A routing table and a mark have the line's name; of both this is the longest one.
LONGEST_LINE_NAME = 64


def printable(text: str) -> str:
    """Return a text with escapes for what does not print: control characters, bidi controls, lone surrogates."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def short(value: Any) -> str:
    """Return a value as messages name something by it: without quotation marks, one line, cut to a readable length."""
    text = value if isinstance(value, str) else _as_json(value)
    if len(text) <= _LONGEST_SHOWN:
        return printable(text)
    return f"{printable(text[:_LONGEST_SHOWN])}… ({len(text)} characters)"


def shown(value: Any) -> str:
    """Return a value as messages quote it: one line, cut to a readable length."""
    if isinstance(value, (list, tuple, Mapping)):
        return short(value)
    text = value if isinstance(value, str) else _as_json(value)
    if len(text) <= _LONGEST_SHOWN:
        return f'"{printable(text)}"'
    return f'"{printable(text[:_LONGEST_SHOWN])}…" ({len(text)} characters)'


def _as_json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return f"a value of type {type(value).__name__}"


def listed(names: Iterable[str], most: int = _MOST_LISTED) -> str:
    """Return names as messages list them: the first ones, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(map(short, every[:most])) + more


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


def label(longest: int | None = None, forbidden: str = "") -> Parser:
    """Return a parser of names that people give: without white space at either end.

    ``longest`` is how many bytes it may have, ``forbidden`` the characters that it cannot hold.
    """

    def parse(value: Any) -> str:
        name = text(value)
        if name != name.strip():
            raise ValueError("begins or ends with white space")
        if any(character in name for character in forbidden):
            raise ValueError(f"holds a character that it cannot: {' '.join(forbidden)}")
        if longest is not None and len(name.encode()) > longest:
            raise ValueError(f"longer than {longest} bytes")
        return name

    return parse


def line_name(value: Any) -> str:
    """Return the name of a line: letters a-z, digits, ``_`` and ``-``. Its routing table gets the same name."""
    if not isinstance(value, str) or not _LINE_NAME.fullmatch(value):
        raise ValueError("not a name of the characters a-z, 0-9, _ and -")
    if len(value) > LONGEST_LINE_NAME:
        raise ValueError(f"a line's name has at most {LONGEST_LINE_NAME} characters")
    if _TABLE.fullmatch(value):
        raise ValueError("names a routing table, and the table of the line gets the name of the line; choose another")
    return value


def integer(low: int, high: int) -> Parser:
    """Return a parser of whole numbers from ``low`` to ``high``; accepts decimal strings, as templates produce them."""

    def parse(value: Any) -> int:
        # int() alone would also take "1_0", " 1" and digits of other scripts.
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise ValueError("not a whole number")
        if isinstance(value, str) and not re.fullmatch("-?[0-9]{1,40}", value):
            raise ValueError("not a whole number")
        number = int(value)
        if not low <= number <= high:
            raise ValueError(f"not within {low} to {high}")
        return number

    return parse


def boolean(value: Any) -> bool:
    """Return a boolean for one, or for a word that Ansible takes for one: an inventory in INI form has words only."""
    word = str(value).lower() if isinstance(value, (bool, str)) or value in (0, 1) else ""
    if word not in _YES + _NO:
        raise ValueError("neither true nor false")
    return word in _YES


def segment_size(value: Any) -> str:
    """Return a limit of the segment size as text: auto, off or a number. YAML reads ``off`` as false."""
    text = "off" if value is False else str(value)
    if text in ("auto", "off"):
        return text
    # The smallest that every host has to accept, and the largest that fits a packet.
    if isinstance(value, (int, str)) and text.isascii() and text.isdigit() and 536 <= int(text) <= 65_495:
        return str(int(text))
    raise ValueError("not auto, off or a number from 536 to 65495")


def choice(*allowed: str) -> Parser:
    """Return a parser that accepts only the given words."""

    def parse(value: Any) -> str:
        if value not in allowed:
            raise ValueError("not one of " + ", ".join(allowed))
        return str(value)

    return parse


def interface(value: Any) -> str:
    """Return an interface name: 1 to 15 bytes without '/', ':' or white space (Linux ``dev_valid_name``).

    Nor with '%', from which Linux makes a number (``dev_get_valid_name``).
    """
    # YAML takes a name of digits alone for a number.
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(min(value, 10**15))
    name = text(value)
    if len(name.encode()) > 15:
        raise ValueError("an interface name has at most 15 bytes")
    if name in (".", "..") or re.search(r"[/:%\s]", name):
        raise ValueError("not an interface name")
    return name


def filtered_interface(value: Any) -> str:
    """Return the name of an interface that every packet filter can match and that sysctl.d can name."""
    name = interface(value)
    if name in ("all", "default"):
        raise ValueError("not an interface: Linux calls the parameters of all interfaces, or of new ones, by this name")
    if not _FILTERED_INTERFACE.fullmatch(name):
        raise ValueError(
            "not every packet filter can match an interface of this name; use letters, digits and ._@~- in it"
        )
    return name


def _address(value: Any) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if isinstance(value, str) and "/" in value:
        raise ValueError("an address with a prefix length; leave the length out")
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


def unicast(value: Any) -> str:
    """Return the address of a host that others can reach: not a loopback, link-local or IPv4-mapped one."""
    parsed = ipaddress.ip_address(host(value))
    if parsed.is_loopback:
        raise ValueError("a loopback address")
    if parsed.version == 6 and parsed.is_link_local:
        raise ValueError("a link-local address")
    if parsed.version == 6 and parsed.ipv4_mapped:
        raise ValueError("an IPv4 address written as IPv6")
    return str(parsed)


def next_hop(value: Any) -> str:
    """Return the address of a gateway: one that others can reach, or a link-local IPv6 one."""
    address = host(value)
    return address if is_link_local(address) else unicast(address)


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


def packet_prefix(value: Any) -> str:
    """Return a prefix of addresses that packets have: not one of IPv4 addresses written as IPv6."""
    canonical = prefix(value)
    if canonical.startswith("::ffff:") and int(ipaddress.ip_network(canonical).network_address) >> 32 == 0xFFFF:
        raise ValueError("IPv4 addresses written as IPv6, which no packet has; write them as IPv4")
    return canonical


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
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 999999:
        value = str(value)
    match = re.fullmatch("([0-9]{1,6})(?:-([0-9]{1,6}))?", value) if isinstance(value, str) else None
    if not match:
        raise ValueError("not a port or a range FIRST-LAST")
    first = int(match[1])
    last = int(match[2] or first)
    for port in (first, last):
        if not 1 <= port <= 65535:
            raise ValueError(f"port {port} is not within 1 to 65535")
    if first > last:
        raise ValueError("the range runs backwards")
    return first, last


def rule_port_range(value: Any) -> tuple[int, int]:
    """Return the ports of a policy rule: Linux takes neither 0 nor 65535 there (``fib_rule_port_range_valid``)."""
    first, last = port_range(value)
    if last == 65535:
        raise ValueError("Linux takes only ports 1 to 65534 in a policy rule")
    return first, last


def port_text(ports: tuple[int, int]) -> str:
    """Return a port range as it is written in an entry."""
    return str(ports[0]) if ports[0] == ports[1] else f"{ports[0]}-{ports[1]}"


def mark(value: Any) -> tuple[int, int]:
    """Return ``(mark, mask)`` for 1, "0x1" or "0x1/0xff"; without a mask all 32 bits count."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError("not a mark")
    match = re.fullmatch(f"({_MARK_NUMBER})(?:/({_MARK_NUMBER}))?", _mark_digits(value))
    if not match:
        raise ValueError("not a mark MARK or MARK/MASK")
    number, mask = int(match[1], 0), int(match[2] or "0xffffffff", 0)
    if not (0 <= number <= _LARGEST_MARK and 0 < mask <= _LARGEST_MARK):
        raise ValueError("mark and mask have 32 bits, and the mask is not zero")
    if number & ~mask:
        raise ValueError(f"mark 0x{number:x} has bits outside its mask 0x{mask:x}, so it never matches")
    return number, mask


def mark_number(value: Any) -> int:
    """Return a mark, or the mask of marks, of 32 bits: 1 to 0xffffffff, as a number, "10" or "0x1"."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError("not a whole number")
    digits = _mark_digits(value)
    if not re.fullmatch(_MARK_NUMBER, digits):
        raise ValueError("not a whole number, decimal or 0x...")
    number = int(digits, 0)
    if not 0 < number <= _LARGEST_MARK:
        raise ValueError("not within 1 to 0xffffffff; a mark of 0 is no mark")
    return number


def _mark_digits(value: int | str) -> str:
    """Return what a mark is written with; of what is far too long nothing, as Python does not convert it either way."""
    if isinstance(value, int):
        return str(value) if -_LARGEST_MARK <= value <= 1 << 64 else str(1 << 64)
    return value if len(value) <= 64 else ""


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
