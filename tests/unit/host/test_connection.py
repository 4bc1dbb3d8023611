# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection of the controller is found in the processes above, and only while the kernel has it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.host.connection import Connection, find

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
# 192.168.168.1:22 and 192.168.168.9:40000, as a machine of little byte order prints them.
FOUR = "   0: 01A8A8C0:0016 09A8A8C0:9C40 01 00000000:00000000 00:00000000 00000000     0        0 1\n"
MAPPED = "   0: 0000000000000000FFFF000001A8A8C0:0016 0000000000000000FFFF000009A8A8C0:9C40 01 00000000:00000000\n"


def processes(proc: Path, connection: str, at: int = 10) -> None:
    """Processes 30, 20 and 10, each the parent of the one before; one of them has the variable."""
    for number, parent in ((30, 20), (20, 10), (10, 1), (1, 0)):
        (proc / str(number)).mkdir(parents=True)
        (proc / str(number) / "stat").write_text(f"{number} (a name) with) S {parent} 0 0")
        variable = f"SSH_CONNECTION={connection}\0" if number == at else "SUDO_USER=ada\0"
        (proc / str(number) / "environ").write_bytes(f"HOME=/root\0{variable}".encode())


def listed(proc: Path, four: str = "", six: str = "") -> None:
    """The kernel's connections."""
    (proc / "net").mkdir()
    (proc / "net" / "tcp").write_text(HEAD.replace("  sl", "  sl") + four)
    (proc / "net" / "tcp6").write_text(HEAD + six)


@pytest.mark.parametrize(("four", "six"), [(FOUR, ""), ("", MAPPED)])
def test_behind_sudo_a_process_above_knows_it(tmp_path: Path, four: str, six: str) -> None:
    processes(tmp_path, "192.168.168.9 40000 192.168.168.1 22")
    listed(tmp_path, four, six)
    assert find(str(tmp_path), 30) == Connection("192.168.168.9", "192.168.168.1", 40000, 22)


def test_one_that_is_over_does_not_count(tmp_path: Path) -> None:
    processes(tmp_path, "192.168.168.9 40000 192.168.168.1 22")
    listed(tmp_path, FOUR.replace(" 01 ", " 06 "))
    assert find(str(tmp_path), 30) is None


@pytest.mark.parametrize("connection", ["", "x", "192.168.168.9 40000 192.168.168.1", "a 1 b 2"])
def test_a_variable_that_is_none(tmp_path: Path, connection: str) -> None:
    processes(tmp_path, connection)
    listed(tmp_path, FOUR)
    assert find(str(tmp_path), 30) is None


def test_without_any(tmp_path: Path) -> None:
    processes(tmp_path, "192.168.168.9 40000 192.168.168.1 22", at=0)
    listed(tmp_path, FOUR)
    assert find(str(tmp_path), 30) is None
    assert find(str(tmp_path / "none"), 30) is None


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_kernel_of_this_machine_is_understood(tmp_path: Path, address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with (
        socket.create_server((address, 0), family=family) as server,
        socket.create_connection(server.getsockname()[:2]) as one,
    ):
        client, host = one.getsockname()[:2], one.getpeername()[:2]
        processes(tmp_path, f"{client[0]} {client[1]} {host[0]} {host[1]}")
        (tmp_path / "net").symlink_to("/proc/net")
        assert find(str(tmp_path), 30) == Connection(client[0], host[0], client[1], host[1])
    # The control.
    (tmp_path / "10" / "environ").write_bytes(f"SSH_CONNECTION={client[0]} 1 {host[0]} 1\0".encode())
    assert find(str(tmp_path), 30) is None
