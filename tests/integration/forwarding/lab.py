# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of forward_policy share: the network of nat/lab.py with something mapped, and questions asked at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from ansible_collections.multihome.linux.tests.integration.nat.lab import NatLab

PUBLIC = {4: "203.0.113.10", 6: "2001:db8:a::10"}
CLIENT = {4: "203.0.113.200", 6: "2001:db8:a::200"}
WEB = {4: "192.168.1.2", 6: "fd00:1::2"}
DB = {4: "192.168.2.2", 6: "fd00:2::2"}
LAN = {4: "192.168.1.0/24", 6: "fd00:1::/64"}
MAPPED = [
    {"type": "dnat", "protocol": "tcp", "destination": PUBLIC[f], "destination_port": "443", "to_address": WEB[f]}
    for f in (4, 6)
]
MAPPED = [{**rule, "to_port": "8080"} for rule in MAPPED]
SOURCES = [{"type": "masquerade", "family": f"ipv{f}", "out_interface": "wan0"} for f in (4, 6)]
HAIRPIN = [{"type": "masquerade", "source": LAN[f], "destination": LAN[f]} for f in (4, 6)]
ACCEPT: list[dict[str, Any]] = [
    *({"mapped_to": WEB[f]} for f in (4, 6)),
    *({"source": LAN[f], "out_interface": "wan0"} for f in (4, 6)),
]
EMPTY = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"


def forward(lab: NatLab, policy: str, *accept: dict[str, Any], purge: bool = True, **options: Any) -> dict[str, Any]:
    """Run the module with the backend of the lab; ``check`` and ``diff`` are run_module's."""
    how = {name: options.pop(name) for name in ("check", "diff") if name in options}
    arguments = {"policy": policy, "accept": list(accept), "purge": purge, "backend": lab.programs.backend, **options}
    result = lab.module("forward_policy", arguments, **how)
    result.pop("invocation", None)
    assert not result.get("failed"), result
    return result


def rule_set(lab: NatLab) -> str:
    """All rules of the firewall that are not translations, without what they counted."""
    if lab.programs.backend == "iptables":
        saved = "".join(lab.by_hand(name, "-t", "filter") for name in ("iptables-save", "ip6tables-save"))
        return re.sub(r"\[\d+:\d+\]|^#.*$", "", saved, flags=re.MULTILINE)
    return re.sub(r"packets \d+ bytes \d+", "", lab.firewall.run("nft", "list", "ruleset").stdout)


def foreign(lab: NatLab) -> list[str]:
    """The rules of iptables' filter that are not ours, in their order."""
    saved = re.sub(r"\[\d+:\d+\]", "", lab.by_hand("iptables-save", "-t", "filter"))
    return [line for line in saved.splitlines() if "multihome" not in line and not line.startswith("#")]


@contextmanager
def route_inside(lab: NatLab, family: int) -> Iterator[None]:
    """Have the client know the way to the servers' networks, as an ISP's neighbour may."""
    word = "-4" if family == 4 else "-6"
    networks = [LAN[family], LAN[family].replace("1.0", "2.0").replace(":1:", ":2:")]
    for network in networks:
        lab.hosts["client"].run("ip", word, "route", "add", network, "via", PUBLIC[family])
    try:
        yield
    finally:
        for network in networks:
            lab.hosts["client"].run("ip", word, "route", "del", network)


def reached_at_once(lab: NatLab, **asked: dict[str, Any]) -> dict[str, Any]:
    """Ask all of it at the same time, and return which server answered each: silence takes a second."""
    with ThreadPoolExecutor(len(asked)) as pool:
        found = {
            name: pool.submit(lab.reached, one["protocol"], one["address"], one["port"], host=one.get("host", "client"))
            for name, one in asked.items()
        }
        return {name: future.result() for name, future in found.items()}


def question(protocol: str, address: str, port: int, host: str = "client") -> dict[str, Any]:
    """One question for reached_at_once()."""
    return {"protocol": protocol, "address": address, "port": port, "host": host}


def clean(lab: NatLab) -> None:
    """Remove the rules of forward_policy and of a test; translations stay."""
    forward(lab, "leave")
    if lab.programs.variant == "legacy":
        lab.by_hand("iptables-restore", feed=EMPTY)
    for table in ("ip filter", "ip6 filter", "inet firewalld", "inet theirs"):
        lab.firewall.run("nft", "delete", "table", *table.split(), check=False)
