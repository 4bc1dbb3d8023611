# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host remembers of the addresses that it had."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.learned.host_addresses import HostAddresses


def state(address: str) -> dict[str, list[str]]:
    """What an interface has."""
    return {"addresses": [address], "gateways": [], "without_gateway": [], "onlink": []}


def test_the_latest_values_of_an_interface_are_kept_each_once(tmp_path: Path) -> None:
    known = HostAddresses(directory=str(tmp_path / "run"))
    assert known.earlier() == {}
    for number in (*range(12), 11, 5):
        known.remember({"wan0": state(f"192.0.2.{number}/24"), "lan": state("10.0.0.1/8")}, ["wan0"])
    known.remember({}, ["wan0"])
    assert known.earlier() == {"wan0": [state(f"192.0.2.{number}/24") for number in (4, 6, 7, 8, 9, 10, 11, 5)]}
    assert (tmp_path / "run" / "learned.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "nonsense", "[]", '{"wan0": 5}', '{"wan0": [{"addresses": "x"}, 3]}'])
def test_a_file_that_makes_no_sense_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "learned.json").write_text(text)
    known = HostAddresses(directory=str(tmp_path))
    assert not any(known.earlier().values())
    known.remember({"wan0": state("192.0.2.1/24")}, ["wan0"])
    assert json.loads((tmp_path / "learned.json").read_text()) == {"wan0": [state("192.0.2.1/24")]}


def test_a_disk_that_is_full_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file in the way")
    HostAddresses(directory=str(tmp_path / "run")).remember({"wan0": state("192.0.2.1/24")}, ["wan0"])
