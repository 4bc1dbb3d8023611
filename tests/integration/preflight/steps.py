# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a host unfit for its lines, and fit again: steps of the scenarios of preflight."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.multihome.linux.tests.integration.namespaces import Host, Hosts
from ansible_collections.multihome.linux.tests.lab.waiting import eventually

Step = Callable[[Hosts], object]

UNICOM: dict[str, Any] = {
    "name": "unicom",
    "id": 1,
    "interface": "eth0",
    "addresses": ["192.168.168.1/24", "fd00:168::1/64"],
    "gateways": ["192.168.168.11", "fd00:168::11"],
}
INTERLINK: dict[str, Any] = {
    "name": "interlink",
    "id": 2,
    "interface": "eth1",
    "public_addresses": ["198.51.100.2/24"],
    "gateway": "198.51.100.1",
}
# The lists that policy_routing gets for these lines. 192.168.168.77 is a server's address, in isp_firewall_snat.
TABLES: list[dict[str, Any]] = [
    {
        "id": 1001,
        "name": "unicom",
        "routes": [
            {"destination": "default", "gateway": "192.168.168.11", "interface": "eth0"},
            {"destination": "default", "gateway": "fd00:168::11", "interface": "eth0"},
        ],
    },
    {
        "id": 1002,
        "name": "interlink",
        "routes": [{"destination": "default", "gateway": "198.51.100.1", "interface": "eth1"}],
    },
]
RULES: list[dict[str, Any]] = [
    *({"priority": 20000, "family": f, "table": 254, "suppress_prefix_length": 0} for f in ("ipv4", "ipv6")),
    {"priority": 20010, "family": "ipv4", "mark": "0x1/0xff", "table": 1001},
    {"priority": 20011, "family": "ipv4", "mark": "0x1/0xff", "action": "unreachable"},
    {"priority": 20020, "family": "ipv4", "mark": "0x2/0xff", "table": 1002},
    {"priority": 20021, "family": "ipv4", "mark": "0x2/0xff", "action": "unreachable"},
    {"priority": 23010, "source": "192.168.168.1", "table": 1001},
    {"priority": 23011, "source": "192.168.168.1", "action": "unreachable"},
    {"priority": 23010, "source": "192.168.168.77", "table": 1001},
    {"priority": 23011, "source": "192.168.168.77", "action": "unreachable"},
    {"priority": 23010, "source": "fd00:168::1", "table": 1001},
    {"priority": 23020, "source": "198.51.100.2", "table": 1002},
]
# Docker's, ufw's and firewalld's own rules, as far as they matter to what is forwarded.
DOCKER = """*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
"""
UFW = """*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:ufw-before-forward - [0:0]
:ufw-user-forward - [0:0]
:ufw-after-logging-forward - [0:0]
-A FORWARD -j ufw-before-forward
-A FORWARD -j ufw-after-logging-forward
-A ufw-after-logging-forward -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] "
-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-forward -p icmp -m icmp --icmp-type 3 -j ACCEPT
-A ufw-before-forward -j ufw-user-forward
COMMIT
"""
FIREWALLD = """table inet firewalld {
    chain filter_FORWARD {
        type filter hook forward priority filter + 10; policy accept;
        ct state { established, related } accept
        ct status dnat accept
        iifname "lo" accept
        ct state { invalid } drop
        reject with icmpx admin-prohibited
    }
}
"""
FILTER = """table inet filter {
    chain forward {
        type filter hook forward priority 0; policy drop;
        ct state established,related accept
        RULES
    }
}
"""
TRANSLATION = """table inet other {{
    chain c {{
        type nat hook prerouting priority {}; policy accept;
        tcp dport 80 dnat ip to 172.17.0.2
    }}
}}
"""
MARKS = "table inet other {{ chain any {{ type filter hook prerouting priority -150; {}; }}; }}\n"


def on(name: str, *commands: str, feed: str | None = None) -> Step:
    """A step: commands on a host."""

    def step(hosts: Hosts) -> None:
        for command in commands:
            hosts[name].run(*command.split(), feed=feed)

    return step


def sysctl(*settings: str) -> Step:
    """A step: kernel parameters of the host."""
    return on("host", f"sysctl -q -w {' '.join(settings)}")


def nothing(_hosts: Hosts) -> None:
    """No step."""


def also(*steps: Step) -> Step:
    """Several steps in turn."""

    def step(hosts: Hosts) -> None:
        for each in steps:
            each(hosts)

    return step


def duplicated_ipv6(hosts: Hosts) -> None:
    """Have the kernel find out that the peer has an address."""
    hosts["peer"].run("ip", "address", "add", "fd00:168::9/64", "dev", "eth0", "nodad")
    host = hosts["host"]
    host.run("ip", "address", "add", "fd00:168::9/64", "dev", "eth0")
    eventually(lambda: "::9" in host.run("ip", "address", "show", "dev", "eth0", "dadfailed").stdout)


def kernel_without_nat(hosts: Hosts) -> None:
    """Have the host's files say that its kernel was built without NAT of nftables."""
    host, options = hosts["host"], "CONFIG_NF_TABLES=y\nCONFIG_NF_CONNTRACK=y\nCONFIG_NFT_CT=y\n"
    options += "CONFIG_IP_MULTIPLE_TABLES=y\nCONFIG_IPV6_MULTIPLE_TABLES=y\n"
    hide(host, "/sys/module")
    if Path("/lib/modules").is_dir():
        hide(host, "/lib/modules")
    if Path("/proc/config.gz").exists():
        packed = gzip.compress(options.encode()).hex()
        host.run("python3", "-c", f"open('/run/config.gz', 'wb').write(bytes.fromhex('{packed}'))")
        host.run("mount", "--bind", "/run/config.gz", "/proc/config.gz")
    else:
        hide(host, "/boot")
        host.run("tee", f"/boot/config-{os.uname().release}", feed=options)


def kernel_with_nat(hosts: Hosts) -> None:
    """Show the machine's own files again."""
    for path in ("/sys/module", "/lib/modules", "/proc/config.gz", "/boot"):
        hosts["host"].run("umount", path, check=False)


def hide(host: Host, path: str) -> None:
    """Put an empty directory over one."""
    host.run("mount", "-t", "tmpfs", "tmpfs", path)


def carrier(there: bool) -> Step:
    """A step: wait until the host has noticed whether eth1 has a carrier."""

    def step(hosts: Hosts) -> None:
        eventually(lambda: ("LOWER_UP" in hosts["host"].run("ip", "link", "show", "eth1").stdout) is there)

    return step


def run_networkd(hosts: Hosts) -> None:
    """Start what goes by the name of systemd-networkd."""
    host = hosts["host"]
    host.run("cp", "/bin/sleep", "/run/systemd-networkd")
    child = host.start("/run/systemd-networkd", "600")
    eventually(lambda: "systemd-network" in Path(f"/proc/{child.pid}/comm").read_text())


def configure_networkd(hosts: Hosts) -> None:
    """Do what the remedy says, at another place that networkd reads as well."""
    hosts["host"].run("mkdir", "-p", "/run/systemd/networkd.conf.d")
    text = "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n"
    hosts["host"].run("tee", "/run/systemd/networkd.conf.d/60-multihome.conf", feed=text)


def nft(text: str) -> Step:
    """A step: nft rules for the host."""
    return on("host", "nft -f -", feed=text)
