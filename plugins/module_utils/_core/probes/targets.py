# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes addresses, all at once: by TCP connection, UDP datagram or ICMP echo."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import resource
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable

from .. import fields
from ..entries import Entry, parse_fields, parse_list
from ..errors import InvalidInput
from .failures import Failure, WrongAnswerError, explain
from .icmp_echo import echo_request, read_echo_reply, without_ipv4_header

DEFAULT_TIMEOUT = 3.0
LONGEST_TIMEOUT = 600.0
MOST_ATTEMPTS = 10
DEFAULT_DATAGRAM = "multihome line check\n"
# Seconds after which a lost datagram or echo request is sent again, as TCP does its first packet (RFC 6298). A target
# that refuses is not asked again before them.
_RESEND = 1.0
# Descriptors reserved for the rest of the process.
_OTHER_DESCRIPTORS = 64
# IP_RECVERR and IPV6_RECVERR of Linux include/uapi/linux/in.h and in6.h, which not every Python defines: the
# kernel then reports every ICMP error about a datagram at once, as for a TCP connection attempt.
_RECEIVE_ERRORS = {4: (socket.IPPROTO_IP, 11), 6: (socket.IPPROTO_IPV6, 25)}
_SOCKET_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_ICMP = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}


def seconds(value: Any) -> float:
    """Return seconds, above 0 and at most ``LONGEST_TIMEOUT``; accepts numbers and decimal strings."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if math.isnan(number):
        raise ValueError("not a number of seconds")
    if not 0 < number <= LONGEST_TIMEOUT:
        raise ValueError(f"not above 0 and at most {LONGEST_TIMEOUT:g} seconds")
    return number


def content(value: Any) -> str:
    """Return non-empty text, control characters included."""
    if not isinstance(value, str) or not value:
        raise ValueError("not a non-empty string")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("not text that UTF-8 can encode") from None
    return value


@dataclass(frozen=True)
class Target:
    """One probe: does ``address`` answer on ``port`` (None for icmp) within ``timeout`` seconds?

    Without an answer it is asked again, up to ``attempts`` times in all.
    """

    line: str
    address: str
    protocol: str = "tcp"
    port: int | None = None
    timeout: float = DEFAULT_TIMEOUT
    attempts: int = 1
    source: str | None = None
    name: str | None = None
    send: str = DEFAULT_DATAGRAM
    expect: str | None = None

    FIELDS = {
        "line": fields.text,
        "address": fields.address,
        "protocol": fields.choice("tcp", "udp", "icmp"),
        "port": fields.integer(1, 65535),
        "timeout": seconds,
        "attempts": fields.integer(1, MOST_ATTEMPTS),
        "source": fields.address,
        "name": fields.text,
        "send": content,
        "expect": content,
    }

    @classmethod
    def parse(cls, entry: Any) -> Target:
        """Return the target of one entry; raises InvalidInput with bare reasons."""
        values, faults = parse_fields(entry, cls.FIELDS, "address", required=("line", "address"))
        if isinstance(entry, Mapping):
            faults += cls._faults({field for field, value in entry.items() if value is not None}, values)
        if faults:
            raise InvalidInput(faults)
        return cls(**values)

    @staticmethod
    def _faults(written: set[str], values: Mapping[str, Any]) -> list[str]:
        """Return what is wrong between fields; ``values`` holds those of the ``written`` that are well-formed."""
        faults = []
        if "protocol" in values or "protocol" not in written:
            protocol = values.get("protocol", "tcp")
            if protocol != "icmp" and "port" not in written:
                faults.append(f"port is missing; {protocol} needs one")
            elif protocol == "icmp" and "port" in written:
                faults.append("port goes with tcp and udp; icmp has none")
            if protocol != "udp":
                faults += [f"{field} goes with udp alone" for field in ("send", "expect") if field in written]
        if {"address", "source"} <= values.keys():
            address, source = values["address"], values["source"]
            if fields.family_of(address) != fields.family_of(source):
                faults.append(f'source "{source}": not of the family of address "{address}"')
        return faults

    @property
    def family(self) -> int:
        """4 or 6."""
        return fields.family_of(self.address)

    @property
    def service(self) -> str:
        """What is asked at the address: ``80/tcp``, ``icmp``."""
        return self.protocol if self.port is None else f"{self.port}/{self.protocol}"

    def __str__(self) -> str:
        return f"{self.address} {self.service}" + (f" from {self.source}" if self.source else "")


@dataclass(frozen=True)
class Row:
    """The result of one target: ``milliseconds`` until the answer, or why there was none.

    ``local_address`` is the one that the kernel sends from; None where it has no route there.
    """

    target: Target
    milliseconds: float | None = None
    failure: Failure | None = None
    local_address: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the target answered."""
        return self.failure is None

    def as_result(self) -> dict[str, Any]:
        """Return the row as the module reports it; every row has all keys."""
        shown = ("line", "name", "address", "port", "protocol", "source")
        return {
            **{field: getattr(self.target, field) for field in shown},
            "local_address": self.local_address,
            "ok": self.ok,
            "milliseconds": self.milliseconds,
            "error": self.failure.error if self.failure else None,
            "hint": self.failure.hint if self.failure else None,
        }


def parse_targets(entries: Iterable[Any] | None) -> list[Target]:
    """Return the targets of a list; raises InvalidInput with every fault of the list."""
    # Probing the same target twice is allowed, so every entry has its own identity.
    parsed: list[Entry[Target]] = parse_list(entries, "targets", Target.parse, "address", key=id)
    return [entry.object for entry in parsed]


def probe_all(targets: Sequence[Target]) -> list[Row]:
    """Probe all targets at once and return their rows in the same order.

    Takes about the longest timeout, and as many of them as there are attempts where a target does not answer.
    The number of simultaneous probes is limited by the process's open files; that limit is raised as far as the
    system allows.
    """
    return asyncio.run(_probe_all(targets, _sockets_for(len(targets))))


def _sockets_for(wanted: int) -> int:
    """Return how many sockets may be open at a time, after raising the process's limit for ``wanted`` of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHER_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - _OTHER_DESCRIPTORS))


async def _probe_all(targets: Sequence[Target], at_a_time: int) -> list[Row]:
    slots = asyncio.Semaphore(at_a_time)

    async def one(target: Target) -> Row:
        async with slots:
            return await _ask(target)

    return list(await asyncio.gather(*(one(target) for target in targets)))


async def _ask(target: Target) -> Row:
    """Probe the target until it answers or its attempts are used up."""
    for _attempt in range(1, target.attempts):
        started = time.perf_counter()
        row = await _probe(target)
        if row.ok:
            return row
        await asyncio.sleep(max(0.0, started + _RESEND - time.perf_counter()))
    return await _probe(target)


async def _probe(target: Target) -> Row:
    started = time.perf_counter()
    try:
        await asyncio.wait_for(_PROBES[target.protocol](target), target.timeout)
    except (OSError, WrongAnswerError, asyncio.TimeoutError) as error:
        return Row(target, failure=explain(error, target), local_address=_local_address(target))
    milliseconds = round((time.perf_counter() - started) * 1000, 3)
    return Row(target, milliseconds=milliseconds, local_address=_local_address(target))


def _local_address(target: Target) -> str | None:
    """Return the address that packets to the target leave with; to connect a datagram socket sends nothing."""
    try:
        with socket.socket(_SOCKET_FAMILY[target.family], socket.SOCK_DGRAM) as connection:
            _bind(connection, target)
            connection.connect((target.address, target.port or 1))
            return str(connection.getsockname()[0])
    except OSError:
        return None


async def _tcp(target: Target) -> None:
    with socket.socket(_SOCKET_FAMILY[target.family], socket.SOCK_STREAM) as connection:
        connection.setblocking(False)
        _bind(connection, target)
        await asyncio.get_running_loop().sock_connect(connection, (target.address, target.port))


async def _udp(target: Target) -> None:
    expected = None if target.expect is None else target.expect.encode()

    def accepts(answer: bytes) -> bool:
        if expected is not None and expected not in answer:
            raise WrongAnswerError(answer)
        return True

    with socket.socket(_SOCKET_FAMILY[target.family], socket.SOCK_DGRAM) as connection:
        _connect(connection, target)
        await _exchange(connection, lambda _attempt: target.send.encode(), accepts)


async def _icmp(target: Target) -> None:
    # The kernel may set its own identifier in the request, so the reply is recognised by its payload.
    token = os.urandom(16)
    identifier = int.from_bytes(token[:2], "big")
    connection, with_header = _icmp_socket(target.family)

    def accepts(packet: bytes) -> bool:
        message = without_ipv4_header(packet) if with_header else packet
        reply = read_echo_reply(target.family, message)
        return reply is not None and reply.payload == token

    with connection:
        _connect(connection, target)
        await _exchange(
            connection,
            lambda attempt: echo_request(target.family, identifier, attempt & 0xFFFF, token),
            accepts,
        )


_PROBES: dict[str, Callable[[Target], Any]] = {"tcp": _tcp, "udp": _udp, "icmp": _icmp}


def _icmp_socket(family: int) -> tuple[socket.socket, bool]:
    """Return a socket for ICMP echo, and whether received packets begin with the IP header.

    The ping socket needs no privilege, but a group within net.ipv4.ping_group_range (which holds for both families);
    the raw socket needs CAP_NET_RAW. Raises PermissionError when neither is allowed.
    """
    try:
        return socket.socket(_SOCKET_FAMILY[family], socket.SOCK_DGRAM, _ICMP[family]), False
    except PermissionError:
        return socket.socket(_SOCKET_FAMILY[family], socket.SOCK_RAW, _ICMP[family]), family == 4


def _bind(connection: socket.socket, target: Target) -> None:
    if target.source:
        connection.bind((target.source, 0))


def _connect(connection: socket.socket, target: Target) -> None:
    """Bind and connect a datagram socket; it then receives only from its target, and errors on the path."""
    connection.setblocking(False)
    connection.setsockopt(*_RECEIVE_ERRORS[target.family], 1)
    _bind(connection, target)
    connection.connect((target.address, target.port or 0))


async def _exchange(
    connection: socket.socket, request: Callable[[int], bytes], accepts: Callable[[bytes], bool]
) -> None:
    """Send the request, again after each second without an answer, until an accepted answer comes."""
    loop = asyncio.get_running_loop()

    async def answered() -> None:
        while not accepts(await loop.sock_recv(connection, 65535)):
            pass

    attempt = 0
    while True:
        await loop.sock_sendall(connection, request(attempt))
        with contextlib.suppress(asyncio.TimeoutError):
            return await asyncio.wait_for(answered(), _RESEND)
        attempt += 1
