# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel parameters that another program sets back, and those of an interface that appears late, are set again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..namespaces import Hosts
from ..run_module import run_module
from .host import Kept

PARAMETERS = [
    {"name": "net.ipv4.ip_forward", "value": "1"},
    {"name": "net.ipv4.conf.wan1.rp_filter", "value": "2", "optional": True},
    {"name": "net.ipv4.conf.wan2.rp_filter", "value": "2", "optional": True},
]


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with Hosts("server", "isp") as made:
        for name in ("wan1", "wan2"):
            made.link("server", name, "isp", name)
        yield made


@pytest.fixture
def kept(hosts: Hosts, tmp_path: Path) -> Iterator[Kept]:
    made = Kept(hosts["server"], tmp_path)
    done = run_module("kernel_parameters", {"parameters": PARAMETERS}, netns_prefix=hosts["server"].prefix)
    assert done["changed"] is True, done
    yield made
    made.stop()


def value(kept: Kept, path: str) -> str:
    return kept.host.run("cat", f"/proc/sys/net/ipv4/{path}").stdout.strip()


def test_parameters_are_held(hosts: Hosts, kept: Kept) -> None:
    server = hosts["server"]
    kept.start()
    server.run("sysctl", "-w", "net.ipv4.ip_forward=0", "net.ipv4.conf.wan1.rp_filter=1")
    assert value(kept, "ip_forward") == "0"
    kept.eventually(lambda: value(kept, "ip_forward") == "1", 10)
    kept.eventually(lambda: value(kept, "conf/wan1/rp_filter") == "2", 10)
    assert "kernel_parameters: set net.ipv4.ip_forward = 1" in kept.log()
    server.run("ip", "link", "delete", "wan2")
    hosts.link("server", "wan2", "isp", "wan2")
    kept.eventually(lambda: value(kept, "conf/wan2/rp_filter") == "2", 10)


def test_another_program_that_keeps_setting_one_back_is_backed_off_from(hosts: Hosts, kept: Kept) -> None:
    server = hosts["server"]
    kept.start()
    for _time in range(12):
        server.run("sysctl", "-w", "net.ipv4.ip_forward=0")
        # Any event of an interface makes it look.
        server.run("ip", "address", "add", "10.0.0.1/32", "dev", "lo")
        server.run("ip", "address", "del", "10.0.0.1/32", "dev", "lo")
        server.run("sleep", "0.7")
        if kept.said("damped"):
            break
    assert [entry["object"] for entry in kept.said("damped")] == ["net.ipv4.ip_forward = 1"]


def test_control_without_the_keeper_they_stay_as_somebody_set_them(hosts: Hosts, kept: Kept) -> None:
    hosts["server"].run("sysctl", "-w", "net.ipv4.ip_forward=0")
    hosts["server"].run("sleep", "6")
    assert value(kept, "ip_forward") == "0"
