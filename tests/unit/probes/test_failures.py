# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How failures read: plain words, a hint that says what to do, and a matrix that stays small."""

from __future__ import annotations

import errno

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.probes.failures import (
    Failure,
    WrongAnswerError,
    explain,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.probes.report import failed_message
from ansible_collections.multihome.linux.plugins.module_utils._core.probes.targets import Row, Target

TCP = Target("unicom", "203.0.113.10", "tcp", 80)
UDP = Target("unicom", "203.0.113.10", "udp", 53)
ICMP = Target("unicom", "203.0.113.10", "icmp")
BOUND = Target("unicom", "203.0.113.10", "tcp", 80, source="192.0.2.1")
REFUSED = Failure("connection refused", "start it")


@pytest.mark.parametrize("target", [TCP, UDP, ICMP])
@pytest.mark.parametrize("error", [TimeoutError(), OSError(errno.ETIMEDOUT, "")])
def test_silence_names_the_time_and_the_parts_of_the_way(target: Target, error: Exception) -> None:
    failure = explain(error, target)
    assert failure.error == "no answer within 3 s"
    assert "reply path is down" in failure.hint


@pytest.mark.parametrize(
    ("number", "target", "error", "hint"),
    [
        (errno.ECONNREFUSED, TCP, "connection refused", "the service does not listen"),
        (errno.ECONNREFUSED, UDP, "port unreachable", "the service does not listen"),
        (errno.EPERM, ICMP, "this user may not send ICMP echo", "net.ipv4.ping_group_range"),
        (errno.EPERM, UDP, "dropped on this host", "nft list ruleset"),
        (errno.ENETUNREACH, TCP, "no route", "ip route get 203.0.113.10"),
        (errno.ENETUNREACH, BOUND, "no route", "ip route get 203.0.113.10 from 192.0.2.1"),
        (errno.EADDRNOTAVAIL, BOUND, "source 192.0.2.1 is not an address of this host", "ip_aliases"),
        (errno.EADDRNOTAVAIL, TCP, "no address to send from", "ip route get"),
        (errno.EMSGSIZE, UDP, "Message too long", "ip route get"),
    ],
)
def test_each_refusal_has_its_own_words(number: int, target: Target, error: str, hint: str) -> None:
    failure = explain(OSError(number, "never shown"), target)
    assert failure.error == error
    assert hint in failure.hint
    assert "never shown" not in str(failure)


def test_braces_of_a_user_are_only_text() -> None:
    target = Target("unicom", "203.0.113.10", "udp", 53, expect="{source}")
    assert explain(WrongAnswerError(b""), target).error == 'the answer does not contain "{source}"'
    assert explain(OSError("{odd}"), TCP).error == "{odd}"


def test_the_message_is_a_matrix_and_each_reason_once() -> None:
    rows = [
        Row(Target("unicom", "203.0.113.10", "tcp", 80, name="web"), 1.0),
        Row(Target("unicom", "2001:db8::1", "tcp", 80, name="web"), failure=REFUSED),
        Row(Target("interlink", "198.51.100.20", "tcp", 80, name="web"), failure=REFUSED),
        Row(Target("interlink", "198.51.100.20", "icmp"), failure=Failure("no answer within 3 s", "the line is down")),
        Row(Target("interlink", "198.51.100.21", "icmp"), 2.0),
    ]
    refused = "line unicom, 2001:db8::1 80/tcp (web); line interlink, 198.51.100.20 80/tcp (web)"
    assert failed_message(rows).splitlines() == [
        "3 of 5 targets did not answer:",
        "line       web IPv4  web IPv6  icmp IPv4",
        "unicom     ok        FAILED    -",
        "interlink  FAILED    -         FAILED 1/2",
        f"{refused}: connection refused: start it",
        "line interlink, 198.51.100.20 icmp: no answer within 3 s: the line is down",
    ]


def test_a_long_list_keeps_what_failed_in_sight() -> None:
    rows = [
        Row(Target(f"line{line}", "203.0.113.10", "tcp", port), failure=REFUSED if (line, port) == (99, 50) else None)
        for line in range(100)
        for port in range(1, 51)
    ]
    text = failed_message(rows).splitlines()
    assert len(text) == 1 + 1 + 20 + 1 + 1
    assert text[1] == "line    " + "  ".join(f"{port}/tcp IPv4" for port in (1, 2, 3, 4, 5, 6, 7, 50))
    assert text[-3].split() == ["line99", *["ok"] * 7, "FAILED"]
    assert text[-2] == "(not shown: 80 lines, 42 services; see rows)"


def test_many_failures_are_counted_beyond_the_first_twenty() -> None:
    rows = [Row(Target(f"line{line}", "203.0.113.10", "tcp", 80), failure=REFUSED) for line in range(25)]
    text = failed_message(rows).splitlines()
    assert text[-1] == "and 5 more; see rows"
    assert text[-2].count("line line") == 20
