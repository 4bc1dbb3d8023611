# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests on the link: to gateways by ARP and neighbour discovery, for the host's future addresses by ARP.

The kernel's neighbour table is not used, as it may still contain a router that has failed since, and not changed. The
request for an address that the host does not have yet comes from no address (RFC 5227), so that nobody learns it.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import select
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .. import fields
from ..netlink.link_packets import (
    ADVERTISEMENT,
    ARP,
    ARP_PACKET,
    BROADCAST,
    ETHERNET,
    REQUEST,
    arp_request,
    solicitation,
)

# An address, and the interface before it.
Target = tuple[str, str]

_OUTGOING = 4  # linux/if_packet.h: PACKET_OUTGOING
_ICMPV6_FILTER = 1  # linux/icmpv6.h; a set bit blocks a type
_TIMES_ASKED = 3


@dataclass
class Answers:
    """``gateways`` and ``addresses`` are hardware addresses by target; ``unasked`` are reasons by interface."""

    gateways: dict[Target, str] = field(default_factory=dict)
    addresses: dict[Target, str] = field(default_factory=dict)
    unasked: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Questions:
    """The requests to send. ``senders``: the sender's address for a gateway, where the host has one in its network.

    ``hardware`` are the hardware addresses of this host by interface: answers from them do not count.
    """

    gateways: Sequence[Target] = ()
    addresses: Sequence[Target] = ()
    senders: Mapping[Target, str] = field(default_factory=dict)
    hardware: Mapping[str, str] = field(default_factory=dict)


def ask(questions: Questions, timeout: float) -> Answers:
    """Send all requests at once and wait at most ``timeout`` seconds; less when all gateways have answered.

    Only after the whole time an address counts as free.
    """
    answers = Answers()
    if timeout <= 0 or not (questions.gateways or questions.addresses):
        return answers
    with contextlib.ExitStack() as stack:
        links = []
        for name in dict.fromkeys(name for name, _address in (*questions.gateways, *questions.addresses)):
            for version, link_class in ((4, _ArpLink), (6, _NeighbourDiscoveryLink)):
                if any(fields.family_of(address) == version for address in _of(questions, name)):
                    try:
                        links.append(stack.enter_context(link_class(name, questions, answers)))
                    except OSError as error:
                        hint = "; run as root" if error.errno in (errno.EPERM, errno.EACCES) else ""
                        answers.unasked[name] = f"{error.strerror or error}{hint}"
        _exchange(links, questions, answers, timeout)
    return answers


def _of(questions: Questions, name: str) -> Iterator[str]:
    return (address for interface, address in (*questions.gateways, *questions.addresses) if interface == name)


def _exchange(links: Sequence[_Link], questions: Questions, answers: Answers, timeout: float) -> None:
    start = time.monotonic()
    asked = 0
    while links:
        passed = time.monotonic() - start
        if passed >= timeout or not (questions.addresses or len(answers.gateways) < len(questions.gateways)):
            return
        if asked < _TIMES_ASKED and passed >= asked * timeout / _TIMES_ASKED:
            asked += 1
            for link in links:
                link.ask()
        next_event = min(timeout, asked * timeout / _TIMES_ASKED if asked < _TIMES_ASKED else timeout)
        ready, _writable, _failed = select.select([link.socket for link in links], [], [], max(next_event - passed, 0))
        for link in links:
            if link.socket in ready:
                link.listen()


class _Link:
    """One interface and the socket for requests on it."""

    family = 4

    def __init__(self, interface: str, questions: Questions, answers: Answers) -> None:
        self.interface, self.questions, self.answers = interface, questions, answers
        self.gateways = self._mine(questions.gateways)
        self.addresses = self._mine(questions.addresses)
        self.socket = self.open()
        self.socket.setblocking(False)

    def _mine(self, targets: Sequence[Target]) -> list[str]:
        here = [address for name, address in targets if name == self.interface]
        return [address for address in here if fields.family_of(address) == self.family]

    def __enter__(self) -> _Link:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.socket.close()

    def open(self) -> socket.socket:
        """Return the socket; raises OSError."""
        raise NotImplementedError

    def ask(self) -> None:
        """Send a request for each target that has not answered."""
        for target in (*self.gateways, *self.addresses):
            if (self.interface, target) not in self.answers.gateways:
                # A link that cannot send now, or was removed, gets no answer.
                with contextlib.suppress(OSError):
                    self.request(target)

    def request(self, target: str) -> None:
        """Send one request."""
        raise NotImplementedError

    def listen(self) -> None:
        """Read one packet from the socket."""
        raise NotImplementedError

    def heard(self, address: str, hardware: str) -> None:
        """Record that ``hardware`` claims ``address``."""
        if hardware in self.questions.hardware.values():
            return
        if address in self.gateways:
            self.answers.gateways[self.interface, address] = hardware
        if address in self.addresses:
            self.answers.addresses[self.interface, address] = hardware


class _ArpLink(_Link):
    def open(self) -> socket.socket:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ARP))
        try:
            opened.bind((self.interface, ARP))
            _name, _protocol, _type, hardware_type, self.hardware = opened.getsockname()
            if hardware_type != ETHERNET:
                raise OSError(errno.EPROTONOSUPPORT, "not an Ethernet interface")
        except OSError:
            opened.close()
            raise
        return opened

    def request(self, target: str) -> None:
        sender = self.questions.senders.get((self.interface, target), "0.0.0.0")
        packet = arp_request(self.hardware, sender, target)
        self.socket.sendto(packet, (self.interface, ARP, 0, ETHERNET, BROADCAST))

    def listen(self) -> None:
        data, source = self.socket.recvfrom(2048)
        if source[2] == _OUTGOING or len(data) < ARP_PACKET.size:
            return
        parts = ARP_PACKET.unpack(data[: ARP_PACKET.size])
        hardware, sender, target = parts[5], socket.inet_ntoa(parts[6]), socket.inet_ntoa(parts[8])
        self.heard(sender, hardware.hex(":"))
        if sender == "0.0.0.0" and parts[4] == REQUEST and target in self.addresses:
            # Another host probes the address at the same moment, to use it.
            self.heard(target, hardware.hex(":"))


class _NeighbourDiscoveryLink(_Link):
    family = 6

    def open(self) -> socket.socket:
        opened = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        try:
            self.index = socket.if_nametoindex(self.interface)
            blocked = bytearray(b"\xff" * 32)
            word = struct.unpack_from("=I", blocked, ADVERTISEMENT // 32 * 4)[0] & ~(1 << ADVERTISEMENT % 32)
            struct.pack_into("=I", blocked, ADVERTISEMENT // 32 * 4, word)
            opened.setsockopt(socket.IPPROTO_ICMPV6, _ICMPV6_FILTER, bytes(blocked))
            # A packet that a router may have forwarded does not count (RFC 4861, section 7.1).
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, self.index)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.interface.encode())
        except OSError:
            opened.close()
            raise
        return opened

    def request(self, target: str) -> None:
        packed = ipaddress.IPv6Address(target).packed
        group = ipaddress.IPv6Address(ipaddress.IPv6Address("ff02::1:ff00:0").packed[:13] + packed[13:])
        own = bytes.fromhex(self.questions.hardware.get(self.interface, "").replace(":", ""))
        self.socket.sendto(solicitation(target, own), (str(group), 0, 0, self.index))

    def listen(self) -> None:
        data, _source = self.socket.recvfrom(2048)
        if len(data) >= 24 and data[0] == ADVERTISEMENT:
            self.heard(str(ipaddress.IPv6Address(data[8:24])), "")
