# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the files of a host are taken to say."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.host import (
    boot_configuration,
    kernel_features,
    networkd_facts,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.host.boot_configuration import Setting


def write(root: Path, files: dict[str, str]) -> str:
    """Write files below a root and return it."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return str(root)


def test_files_of_sysctl_d_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "etc/sysctl.d/60-multihome.conf": "# ours\nnet.ipv4.ip_forward = 1\n",
            "usr/lib/sysctl.d/90-vendor.conf": "net/ipv4/conf/eth0.100/rp_filter=1\n; a comment\nnot an assignment\n",
            "run/sysctl.d/70-run.conf": "-net.ipv4.conf.eth0/100.rp_filter = 2\nnet.ipv4.conf.*.rp_filter = 1\n",
            "etc/sysctl.d/README": "net.ipv4.ip_forward = 0\n",
        },
    )
    assert boot_configuration.boot_parameters(root) == [
        ("net/ipv4/ip_forward", Setting("1", "/etc/sysctl.d/60-multihome.conf")),
        ("net/ipv4/conf/eth0.100/rp_filter", Setting("2", "/run/sysctl.d/70-run.conf")),
        ("net/ipv4/conf/eth0.100/rp_filter", Setting("1", "/usr/lib/sysctl.d/90-vendor.conf")),
    ]


def test_a_file_hides_those_of_its_name_in_later_places(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "etc/sysctl.d/50-default.conf": "",
            "usr/lib/sysctl.d/50-default.conf": "net.ipv4.ip_forward = 0\n",
            "usr/lib/sysctl.d/60-other.conf": "net.ipv4.ip_forward = 0\n",
        },
    )
    assert [setting.file for _path, setting in boot_configuration.boot_parameters(root)] == [
        "/usr/lib/sysctl.d/60-other.conf"
    ]


def test_a_linked_sysctl_conf_has_the_last_word(tmp_path: Path) -> None:
    root = write(tmp_path, {"etc/sysctl.conf": "net.ipv4.ip_forward=0\n", "etc/sysctl.d/60-a.conf": "net.ipv4.x=1\n"})
    (tmp_path / "etc/sysctl.d/99-sysctl.conf").symlink_to("../sysctl.conf")
    assert boot_configuration.boot_parameters(root)[-1] == (
        "net/ipv4/ip_forward",
        Setting("0", "/etc/sysctl.d/99-sysctl.conf"),
    )


def test_drop_ins_of_networkd_have_the_last_word(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "etc/systemd/networkd.conf": "[Network]\nManageForeignRoutes=no\n\n[DHCPv4]\nSpeedMeter=yes\n",
            "usr/lib/systemd/networkd.conf": "[Network]\nManageForeignRoutingPolicyRules=no\n",
            "usr/lib/systemd/networkd.conf.d/10.conf": "[Network]\nManageForeignRoutes = yes\n",
        },
    )
    found = networkd_facts.networkd_settings(root)
    assert found["ManageForeignRoutes"] == Setting("yes", "/usr/lib/systemd/networkd.conf.d/10.conf")
    assert "SpeedMeter" not in found
    # The main file is the first that there is.
    assert "ManageForeignRoutingPolicyRules" not in found


@pytest.mark.parametrize(
    ("value", "off"),
    [("no", True), ("False", True), ("0", True), ("off", True), ("yes", False), ("", False), (None, False)],
)
def test_a_setting_is_off_when_it_says_so(value: str | None, off: bool) -> None:
    assert networkd_facts.is_off(None if value is None else Setting(value, "f")) is off


def process(proc: Path, number: str, name: str, network: str) -> None:
    """Make a process of this name in a network namespace."""
    (proc / number / "ns").mkdir(parents=True)
    (proc / number / "comm").write_text(f"{name}\n")
    (proc / number / "ns" / "net").symlink_to(network)


@pytest.mark.parametrize(
    ("name", "network", "runs"),
    [
        ("systemd-network", "net:[1]", True),
        ("systemd-network", "net:[2]", False),
        ("systemd-resolve", "net:[1]", False),
    ],
)
def test_networkd_runs_where_its_process_is_in_our_network(tmp_path: Path, name: str, network: str, runs: bool) -> None:
    process(tmp_path, "self", "python3", "net:[1]")
    process(tmp_path, "77", name, network)
    found = str(tmp_path / "77")
    # A process that has ended meanwhile, and what is no process.
    (tmp_path / "78").mkdir()
    (tmp_path / "sys").mkdir()
    assert networkd_facts.networkd_process(str(tmp_path)) == (found if runs else None)


def test_supported_settings_are_found_in_the_program(tmp_path: Path) -> None:
    assert networkd_facts.networkd_knows(str(tmp_path)) == []
    (tmp_path / "systemd-networkd").write_bytes(b"\x7fELF..ManageForeignRoutes\0ManageForeignRoutingPolicyRules\0")
    (tmp_path / "exe").symlink_to("systemd-networkd")
    assert networkd_facts.networkd_knows(str(tmp_path)) == ["ManageForeignRoutes", "ManageForeignRoutingPolicyRules"]
    (tmp_path / "systemd-networkd").write_bytes(b"ManageForeignRoutes\0ManageForeignNextHops\0")
    assert networkd_facts.networkd_knows(str(tmp_path)) == ["ManageForeignRoutes", "ManageForeignNextHops"]


OPTIONS = "CONFIG_NF_TABLES=m\nCONFIG_NF_CONNTRACK=y\nCONFIG_IP_MULTIPLE_TABLES=y\n# CONFIG_NFT_NAT is not set\n"
MODULES = "kernel/net/netfilter/nf_tables.ko.xz: kernel/lib/libcrc32c.ko\n"


def test_features_are_known_by_configuration_modules_and_what_is_loaded(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "boot/config-6.1": OPTIONS,
            "lib/modules/6.1/modules.dep": MODULES,
            "sys/module/nft_ct/refcnt": "1\n",
        },
    )
    assert kernel_features.kernel_features(root, "6.1") == {
        "NF_TABLES": True,
        "NF_CONNTRACK": True,
        "NFT_CT": True,
        "NFT_NAT": False,
        "IP_MULTIPLE_TABLES": True,
        "IPV6_MULTIPLE_TABLES": False,
    }


def test_what_nobody_tells_is_not_missing(tmp_path: Path) -> None:
    # A container: no modules, no configuration.
    assert set(kernel_features.kernel_features(str(tmp_path), "6.1").values()) == {None}
    # A module that was configured, in a place that cannot be seen from here.
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "config.gz").write_bytes(gzip.compress(OPTIONS.encode()))
    found = kernel_features.kernel_features(str(tmp_path), "6.1")
    assert (found["NF_TABLES"], found["NFT_NAT"]) == (None, False)


def test_a_file_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "etc/sysctl.d/60-a.conf").mkdir(parents=True)
    (tmp_path / "etc/sysctl.d/70-b.conf").symlink_to("nowhere")
    assert boot_configuration.boot_parameters(str(tmp_path)) == []
