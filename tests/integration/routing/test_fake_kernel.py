# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fake kernel of the unit tests takes, refuses and lists what the real one does."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..namespaces import Host, Hosts

PROGRAM = str(Path(__file__).with_name("compare_with_fake.py"))
STEPS = 200


@pytest.fixture
def host() -> Iterator[Host]:
    with Hosts("here", "there") as hosts:
        for interface in ("eth0", "eth1"):
            hosts.link("here", interface, "there", interface)
        # Without duplicate address detection an IPv6 address is there at once.
        hosts["here"].sysctl(net__ipv6__conf__all__accept_dad=0, net__ipv6__conf__default__accept_dad=0)
        hosts["here"].sysctl(net__ipv6__conf__eth0__accept_dad=0, net__ipv6__conf__eth1__accept_dad=0)
        for name in ("here", "there"):
            hosts[name].address("eth0")
            hosts[name].address("eth1")
        yield hosts["here"]


def compare(host: Host, seed: int, *deaf_to: str) -> dict[str, Any]:
    report = json.loads(host.run(sys.executable, PROGRAM, str(seed), str(STEPS), *deaf_to).stdout)
    assert isinstance(report, dict)
    return report


@pytest.mark.parametrize("seed", range(1, 4))
def test_the_fake_kernel_does_what_the_real_one_does(host: Host, seed: int) -> None:
    report = compare(host, seed)
    assert report["difference"] is None
    # And there was something to compare.
    assert report["accepted"] > STEPS / 3
    assert set(report["refused"]) >= {"EEXIST", "ENETUNREACH", "EHOSTUNREACH", "EINVAL", "EADDRNOTAVAIL", "ENOENT"}


@pytest.mark.parametrize("kind", ["address", "route", "rule"])
def test_a_difference_would_be_seen(host: Host, kind: str) -> None:
    assert f"kind='{kind}'" in compare(host, 1, kind)["difference"]
