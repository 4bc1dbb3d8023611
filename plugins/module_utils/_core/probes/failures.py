# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a probe failed, in plain words, and what to look at next. No I/O."""

from __future__ import annotations

import asyncio
import errno
import os
from dataclasses import dataclass
from typing import Protocol


class Probed(Protocol):
    """The properties of a target that explanations use."""

    @property
    def address(self) -> str:
        """The address probed."""

    @property
    def source(self) -> str | None:
        """The source address, if one was given."""

    @property
    def protocol(self) -> str:
        """tcp, udp or icmp."""

    @property
    def timeout(self) -> float:
        """Seconds."""

    @property
    def expect(self) -> str | None:
        """The text that the answer had to contain."""


@dataclass(frozen=True)
class Failure:
    """``error`` is the event, ``hint`` the likely cause and the next step."""

    error: str
    hint: str


class WrongAnswerError(Exception):
    """An answer came without the expected text."""


_BROKEN_WAY = "the line, the firewall's NAT or the server's reply path is down, or a firewall drops it"
_NOT_LISTENING = (
    "the host answers, but the service does not listen: start it, or correct the port or its destination NAT"
)
# Failures without an errno.
_SILENCE, _WRONG_ANSWER = -1, -2
# (errno, protocol or None for all) -> (error, hint), filled in from the target.
_FAILURES: dict[tuple[int, str | None], tuple[str, str]] = {
    (_SILENCE, "tcp"): ("no answer within {timeout:g} s", _BROKEN_WAY),
    (_SILENCE, "udp"): (
        "no answer within {timeout:g} s",
        _BROKEN_WAY + "; or the service does not answer the packet that was sent",
    ),
    (_SILENCE, "icmp"): (
        "no answer within {timeout:g} s",
        "the line, the host or its reply path is down, or a firewall drops ICMP echo",
    ),
    (_WRONG_ANSWER, None): (
        'the answer does not contain "{expect}"',
        "another service answers on the port: check which one, on which server",
    ),
    (errno.ECONNREFUSED, "tcp"): ("connection refused", _NOT_LISTENING),
    (errno.ECONNREFUSED, "udp"): ("port unreachable", _NOT_LISTENING),
    (errno.ECONNREFUSED, "icmp"): (
        "refused",
        "the host or a firewall on the path refuses ICMP echo: probe a port of a service instead",
    ),
    (errno.EPERM, "icmp"): (
        "this user may not send ICMP echo",
        'run as root (become: true), or allow it by the kernel parameter net.ipv4.ping_group_range = "0 2147483647"',
    ),
    (errno.EPERM, None): (
        "dropped on this host",
        "a firewall rule of this host drops its packets: see nft list ruleset",
    ),
    (errno.ENETUNREACH, None): (
        "no route",
        "this host, or a router on the path, has no route there, or one of type unreachable: see {look}",
    ),
    (errno.EHOSTUNREACH, None): (
        "no route to the host",
        "the host or next hop does not answer ARP or neighbour discovery, or a firewall there refuses: see {look}",
    ),
    (errno.EADDRNOTAVAIL, None): (
        "no address to send from",
        "this host has no usable address for the path: see {look}",
    ),
    (errno.EAFNOSUPPORT, None): ("no IPv6 on this host", "enable IPv6, or leave IPv6 targets out here"),
    (errno.EACCES, None): (
        "prohibited",
        "a policy rule or route of type prohibit, or a broadcast address, forbids it: see {look}",
    ),
    (errno.EINVAL, None): (
        "discarded on this host",
        "a policy rule or route of type blackhole discards it: see {look}",
    ),
    (errno.ECONNRESET, None): (
        "connection reset",
        "the host or a firewall on the path closed the connection: check their logs",
    ),
}
_SOURCE_MISSING = (
    "source {source} is not an address of this host",
    "add it (module ip_aliases), or probe from an address that ip address shows on this host",
)


def explain(error: Exception, target: Probed) -> Failure:
    """Return why a probe failed; ``error`` is an OSError, asyncio.TimeoutError or WrongAnswerError."""
    number = _number(error)
    words = _FAILURES.get((number, target.protocol)) or _FAILURES.get((number, None))
    if number == errno.EADDRNOTAVAIL and target.source:
        words = _SOURCE_MISSING
    if words is None:
        words = (os.strerror(number) if number else str(error).replace("{", "{{").replace("}", "}}"), "see {look}")
    look = f"ip route get {target.address}" + (f" from {target.source}" if target.source else "")
    facts = {"timeout": target.timeout, "expect": target.expect, "source": target.source, "look": look}
    return Failure(words[0].format(**facts), words[1].format(**facts))


def _number(error: Exception) -> int:
    if isinstance(error, WrongAnswerError):
        return _WRONG_ANSWER
    # The kernel itself aborts a connection attempt after about two minutes, with ETIMEDOUT.
    if isinstance(error, asyncio.TimeoutError) or getattr(error, "errno", None) == errno.ETIMEDOUT:
        return _SILENCE
    return getattr(error, "errno", None) or 0
