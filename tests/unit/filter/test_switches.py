# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of the roles as texts: the command line and inventories in INI form have nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.plugin_utils._roles.host_preparation import preparation
from ansible_collections.multihome.linux.plugins.plugin_utils._roles.switches import with_switches

NAMES = ("manage_sysctl", "manage_networkd", "allow_disconnect", "purge", "persist")


@pytest.mark.parametrize(
    ("text", "value"), [("no", False), ("False", False), ("0", False), ("yes", True), ("on", True)]
)
def test_a_text_has_the_meaning_that_ansible_gives_it(text: str, value: bool) -> None:
    given, faults = with_switches({**dict.fromkeys(NAMES, text), "confirm_timeout": "90", "backend": "no"}, "role")
    assert faults == []
    assert given == {**dict.fromkeys(NAMES, value), "confirm_timeout": 90, "backend": "no"}


@pytest.mark.parametrize("value", ["1m", "", "60s", None, True, 1.5, -1, 86_401])
def test_a_time_that_is_no_number_of_seconds_is_a_fault(value: object) -> None:
    _given, faults = with_switches({"confirm_timeout": value}, "isp_firewall")
    (fault,) = faults
    assert fault.startswith("multihome_confirm_timeout or isp_firewall_confirm_timeout: ")


def test_all_faults_are_reported_and_what_is_left_out_is_none() -> None:
    values: dict[str, Any] = {"purge": "perhaps", "persist": 7}
    _given, faults = with_switches(values, "multihomed_web")
    assert faults == [
        'multihomed_web_purge: "perhaps": neither true nor false',
        'multihomed_web_persist: "7": neither true nor false',
    ]
    assert with_switches({}, "multihomed_web") == ({}, [])


def test_the_preparation_of_a_host_reads_texts() -> None:
    found = {
        "requirements": {"nft": {"ok": False, "package": "nftables"}},
        "findings": [{"id": "networkd-removes-foreign"}],
    }
    assert preparation(found, {}, "yes", "yes", "yes", "yes")["needed"]  # type: ignore[arg-type]  # as users give them
    without = preparation(found, {}, "no", "no", "no", "no")  # type: ignore[arg-type]  # as users give them
    assert not without["needed"]
    assert without["missing"] == []
    assert not without["kernel_parameters"]
