# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a lab cannot run, one line says why and names the remedies."""

from __future__ import annotations

import os

import pytest
from ansible_collections.multihome.linux.tests.lab import preflight
from ansible_collections.multihome.linux.tests.lab.state import LabError, find_tool


def check(settings: dict[str, str], failure: str | None = "unshare(0x7c020000): Operation not permitted") -> None:
    """Check for an ordinary user on a system with these settings."""
    preflight.check(True, read=settings.get, attempt=lambda _user: failure, find=lambda tool: tool)


@pytest.mark.parametrize(
    ("setting", "value", "reason", "remedy"),
    [
        ("user/max_user_namespaces", "0", "turned off", "sysctl -w user.max_user_namespaces=15000"),
        ("kernel/unprivileged_userns_clone", "0", "kept from", "sysctl -w kernel.unprivileged_userns_clone=1"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "AppArmor",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile",
        ),
    ],
)
def test_a_refusal_names_its_setting_and_the_remedies(setting: str, value: str, reason: str, remedy: str) -> None:
    with pytest.raises(LabError) as caught:
        check({setting: value})
    message = str(caught.value)
    assert reason in message
    assert f"{setting.replace('/', '.')}={value}" in message
    assert f"as root: {remedy}" in message
    assert message.endswith("or run the lab as root")
    assert "\n" not in message
    # The controls: the other value is not blamed, and where namespaces work nothing is refused.
    with pytest.raises(LabError, match="the system refuses namespaces to ordinary users"):
        check({setting: "1" if value == "0" else "0"})
    check({setting: value}, failure=None)


def test_a_root_that_may_not_is_told_about_containers() -> None:
    with pytest.raises(LabError, match="--privileged"):
        preflight.check(False, attempt=lambda _user: "Operation not permitted", find=lambda tool: tool)


def test_missing_tools_are_named_in_one_line_with_the_command() -> None:
    missing = {"nft", "ping", "setpriv", "nsenter"}
    with pytest.raises(LabError) as caught:
        preflight.check(False, find=lambda tool: None if tool in missing else tool, attempt=lambda _user: None)
    assert str(caught.value) == (
        "missing: nft, nsenter, ping, setpriv; install with: apt-get install -y iputils-ping nftables util-linux"
    )


def test_a_lab_can_run_here() -> None:
    preflight.check(user_namespace=os.geteuid() != 0)
    assert preflight.missing_packages() == ([], [])
    assert preflight.try_namespaces(user_namespace=True) is None
    assert find_tool("no-such-tool-anywhere") is None
