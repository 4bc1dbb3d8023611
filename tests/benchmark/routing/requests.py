# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests per second to servers of few and of many addresses, side by side, each with all that its role makes.

    client 192.0.2.9 ── 10.0.255.N firewall ── 10.0.0.0/16 server

Three servers stand at the same time: one alias on each of two lines; a thousand on each of four; and the same thousand
with one policy rule for each, as people write them. They are asked in turn.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.multihome.linux.plugins.filter.multihomed_web import FilterModule

from ...integration.namespaces import Host, Hosts
from ...integration.run_module import run_module
from ..nat import load

FILTERS = FilterModule().filters()
FEW, MANY, RULES = "few", "many", "rule_each"
CLIENT = "192.0.2.9"
_WORKERS = 2
_LOAD = str(Path(load.__file__))


def lines_of(lines: int, aliases: int) -> list[dict[str, Any]]:
    """Return the role's variable for lines with so many aliases each."""
    return [
        {
            "name": f"line{number}",
            "id": number,
            "interface": "eth0",
            "addresses": [f"10.0.{8 * number + index // 250}.{index % 250 + 1}/16" for index in range(aliases)],
            "gateways": [f"10.0.255.{number}"],
        }
        for number in range(1, lines + 1)
    ]


def rates(aliases: int, rounds: int, seconds: float, say: Callable[[str], None]) -> dict[str, list[float]]:
    """Return the requests per second of each round, by kind of server; they go to the last alias of the last line."""
    kinds = {FEW: lines_of(2, 1), MANY: lines_of(4, aliases), RULES: lines_of(4, aliases)}
    taken: dict[str, list[float]] = {kind: [] for kind in kinds}
    with Hosts("client", *kinds) as hosts:
        clients = [hosts["client"].start(sys.executable, _LOAD, "ask", stdin=-1, stdout=-1) for _n in range(_WORKERS)]
        for number, (kind, lines) in enumerate(kinds.items(), 1):
            _connect(hosts, number, kind)
            _deploy(hosts[kind], lines, rule_each=kind == RULES)
        # All servers have the same addresses: which one is asked is a matter of the client's route.
        for turn in range(-1, rounds):
            order = list(kinds)
            random.Random(turn).shuffle(order)
            for kind in order:
                target = kinds[kind][-1]["addresses"][-1].partition("/")[0]
                way = ["via", _next_hop(list(kinds).index(kind) + 1), "src", CLIENT]
                hosts["client"].run("ip", "route", "replace", "10.0.0.0/16", *way)
                rate = _asked(clients, target, seconds)
                if turn >= 0:  # the first packets pay for neighbours and caches
                    taken[kind].append(rate)
            if turn >= 0:
                say(", ".join(f"{kind} {values[-1]:,.0f}" for kind, values in taken.items()) + " requests/s")
    return taken


def _next_hop(number: int) -> str:
    return f"198.18.{number}.2"


def _connect(hosts: Hosts, number: int, kind: str) -> None:
    """Join a server to the client, which is all its gateways too."""
    hosts.link("client", f"to{number}", kind, "eth0")
    hosts["client"].address(f"to{number}", f"198.18.{number}.1/24")
    hosts["client"].run("ip", "address", "replace", f"{CLIENT}/32", "dev", "lo")
    hosts[kind].address("eth0", f"198.18.{number}.2/24")
    for gateway in range(1, 5):
        mac = json.loads(hosts["client"].run("ip", "-j", "link", "show", f"to{number}").stdout)[0]["address"]
        hosts[kind].run("ip", "neighbour", "add", f"10.0.255.{gateway}", "lladdr", mac, "dev", "eth0")
    for _worker in range(_WORKERS):
        serving = hosts[kind].start(sys.executable, _LOAD, "serve", "0.0.0.0", "80", stdout=-1)
        assert serving.stdout is not None
        if serving.stdout.readline() != "ready\n":
            raise RuntimeError("the web server did not start")


def _deploy(host: Host, lines: list[dict[str, Any]], rule_each: bool) -> None:
    """Do what the role does; or, in place of its rules by prefix, one for each alias."""
    _must(host, "ip_aliases", aliases=FILTERS["multihomed_web_aliases"](lines))
    rules = FILTERS["multihomed_web_rules"](lines)
    if rule_each:
        one = [{**line, "addresses": [address]} for line in lines for address in line["addresses"]]
        by_source = [r for each in one for r in FILTERS["multihomed_web_rules"]([each]) if r.get("table", 254) != 254]
        rules = [r for r in rules if "source" not in r] + by_source
    _must(host, "policy_routing", tables=FILTERS["multihomed_web_tables"](lines), rules=rules)


def _must(host: Host, module: str, **options: Any) -> None:
    result = run_module(module, options, netns_prefix=host.prefix)
    if result.get("failed"):
        raise RuntimeError(f"{module}: {result['msg']}")


def _asked(clients: list[subprocess.Popen[str]], address: str, seconds: float) -> float:
    """Return the rate at which all clients together were answered."""
    request = {"address": address, "port": 80, "seconds": seconds}
    for client in clients:
        assert client.stdin is not None
        client.stdin.write(json.dumps(request) + "\n")
        client.stdin.flush()
    told = []
    for client in clients:
        assert client.stdout is not None
        told.append(json.loads(client.stdout.readline()))
    if any(one["failed"] or not one["answered"] for one in told):
        raise RuntimeError(f"requests failed: {told}")
    return float(sum(one["answered"] / one["seconds"] for one in told))
