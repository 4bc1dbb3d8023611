# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that both roles take before the lines, from the results of their modules."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.unit.filter.derived import FILTERS

PACKAGES = {"pyroute2": "python3-pyroute2", "nft": "nftables", "ip": "iproute2"}
COMPLETE = {"pyroute2": {"ok": True}, "nft": {"ok": True}, "ip": {"ok": True}}
WITHOUT_NFT = {**COMPLETE, "nft": {"ok": False}}
READY = {"requirements": COMPLETE, "findings": [], "kernel_parameters_pending": False}
NOTHING = {
    "missing": [],
    "read_requirements": False,
    "networkd": False,
    "kernel_parameters": False,
    "needed": False,
    "pending": [],
}
MODULES = ["nat_rules", "policy_routing", "keeper"]
UNFRIENDLY = {"findings": [{"id": "gateway-silent"}, {"id": "networkd-removes-foreign"}]}
SKIPPED = {"changed": False, "skipped": True, "skip_reason": "Conditional result was False"}


def preparation(result: object, **options: Any) -> dict[str, Any]:
    found = FILTERS["host_preparation"](result, PACKAGES, **options)
    assert isinstance(found, dict)
    return found


def test_a_host_that_is_ready_needs_nothing() -> None:
    assert preparation(READY) == NOTHING


@pytest.mark.parametrize(
    ("result", "options", "expected"),
    [
        ({**READY, "requirements": WITHOUT_NFT}, {}, {"missing": ["nftables"], "needed": True}),
        ({**READY, "requirements": WITHOUT_NFT}, {"not_needed": ["nft"]}, {}),
        ({**READY, "requirements": WITHOUT_NFT}, {"install_packages": False}, {}),
        # The host knows its distribution, and the variable of the role takes precedence.
        (
            {**READY, "requirements": {**COMPLETE, "iptables": {"ok": False, "package": "iptables-nft"}}},
            {},
            {"missing": ["iptables-nft"], "needed": True},
        ),
        (
            {**READY, "requirements": {**COMPLETE, "ip": {"ok": False, "package": "iproute"}}},
            {},
            {"missing": ["iproute2"], "needed": True},
        ),
        # A requirement for which no package is named cannot be installed.
        ({**READY, "requirements": {**COMPLETE, "iptables": {"ok": False}}}, {}, {}),
        ({**READY, **UNFRIENDLY}, {}, {"networkd": True, "needed": True}),
        ({**READY, **UNFRIENDLY}, {"manage_networkd": False}, {}),
        ({**READY, "kernel_parameters_pending": True}, {}, {"kernel_parameters": True}),
        ({**READY, "kernel_parameters_pending": True}, {"manage_sysctl": False}, {}),
        # After a restart of systemd-networkd the values that preflight saw do not count.
        (READY, {"networkd": {"changed": True}}, {"kernel_parameters": True}),
        (READY, {"networkd": SKIPPED}, {}),
    ],
)
def test_each_step_follows_from_its_result(result: object, options: dict[str, Any], expected: dict[str, Any]) -> None:
    assert preparation(result, **options) == {**NOTHING, **expected}


@pytest.mark.parametrize("result", [{}, SKIPPED])
def test_without_preflight_requirements_are_read_and_kernel_parameters_set(result: object) -> None:
    first = preparation(result, run_preflight=False)
    assert first == {**NOTHING, "kernel_parameters": True, "read_requirements": True, "needed": True}
    then = preparation(result, run_preflight=False, requirements={"requirements": WITHOUT_NFT})
    assert then["missing"] == ["nftables"]
    assert not preparation(result, run_preflight=False, install_packages=False)["needed"]


@pytest.mark.parametrize(
    ("result", "networkd", "expected"),
    [
        ({**READY, "pending": []}, {}, []),
        # In the order of the role, and without modules that it does not run.
        ({**READY, "pending": ["keeper", "ip_aliases", "nat_rules"]}, {}, ["nat_rules", "keeper"]),
        # Unknown: preflight did not run, or failed, or systemd-networkd was restarted after it.
        (SKIPPED, {}, MODULES),
        ({}, {}, MODULES),
        ({**READY, "pending": []}, {"changed": True}, MODULES),
    ],
)
def test_the_modules_that_preflight_found_pending_run(result: object, networkd: object, expected: list[str]) -> None:
    assert preparation(result, networkd=networkd, modules=MODULES)["pending"] == expected
