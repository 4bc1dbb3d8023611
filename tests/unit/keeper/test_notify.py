# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd hears."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.notify import Notifier


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_a_state_is_sent_to_the_socket_that_systemd_names(tmp_path: Path, abstract: bool) -> None:
    name = f"multihome-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name if abstract else name)
        manager.settimeout(5)
        Notifier({"NOTIFY_SOCKET": ("@" if abstract else "") + name}).send(READY="1", STATUS="3 objects put back")
        assert manager.recv(1000) == b"READY=1\nSTATUS=3 objects put back"


def test_without_systemd_nothing_is_sent_and_nothing_fails() -> None:
    Notifier({}).send(READY="1")


def test_a_manager_that_is_gone_is_no_reason_to_stop(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).send(READY="1")


@pytest.mark.parametrize(
    ("environment", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_it_bites(environment: dict[str, str], interval: float | None) -> None:
    assert Notifier(environment).interval == interval
