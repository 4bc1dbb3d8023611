# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each distribution gets the packages of its own family."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.host import distributions, requirements
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink import pyroute2_loader


@pytest.mark.parametrize(
    ("os_release", "family"),
    [
        ("ID=debian\n", "debian"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "debian"),
        ("ID=fedora\n", "fedora"),
        ('NAME="Red Hat Enterprise Linux"\nID="rhel"\nID_LIKE="fedora"\n', "fedora"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "fedora"),
        ('ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', "suse"),
        ('ID="sles"\nID_LIKE="suse"\n', "suse"),
        ("ID=manjaro\nID_LIKE=arch\n", "arch"),
        ("ID=alpine\nVERSION_ID=3.20.1\n", "alpine"),
        ('VARIANT_ID=fedora\nBUG_REPORT_URL="ID=arch"\n', "debian"),
        ("", "debian"),
    ],
)
def test_the_family_follows_from_os_release(os_release: str, family: str) -> None:
    assert distributions.family(os_release) == family


def test_the_packages_of_red_hat_are_not_those_of_debian() -> None:
    assert distributions.PACKAGES["fedora"]["ip"] == "iproute"
    assert distributions.PACKAGES["debian"]["ip"] == "iproute2"


def test_the_page_has_the_same_names() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "distributions.md").read_text("utf-8")
    table = page.partition("| requirement |")[2].partition("\n\n")[0]
    rows = [[cell.strip(" `") for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]
    families = ("debian", "fedora", "suse", "arch", "alpine")
    said = {family: [row[number] for row in rows] for number, family in enumerate(families, start=1)}
    assert said == {family: list(distributions.PACKAGES[family].values()) for family in families}


def test_no_package_reaches_a_virtual_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/srv/environment")
    report = requirements.report()
    assert "package" not in report["pyroute2"]
    assert report["ip"]["package"]
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    assert requirements.report()["pyroute2"]["package"]


@pytest.mark.parametrize(
    ("prefix", "remedy"), [("/srv/environment", "-m pip install"), (None, "distribution's package")]
)
def test_the_remedy_for_pyroute2_works_where_it_is_given(
    monkeypatch: pytest.MonkeyPatch, prefix: str | None, remedy: str
) -> None:
    monkeypatch.setattr(sys, "prefix", prefix or sys.base_prefix)
    monkeypatch.setattr(pyroute2_loader, "NEEDED", "99")
    assert remedy in str(requirements.report()["pyroute2"]["remedy"])
