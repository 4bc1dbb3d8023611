# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Line health on real packets: how soon a silent black hole is found and left, and what watching lines costs."""

from __future__ import annotations

import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.multihome.linux.tests.lab.waiting import eventually

from ...integration.health.lab import ADDRESSES, FAMILIES, LAN, LENGTH, LINES, TARGETS, Lab, Watcher, lab, line
from ...integration.health.served import Seeker, served_lab
from ...integration.learned import lab as assigned
from ...integration.learned import test_firewall as firewall
from ..figures import Figure, Report
from . import peers

TITLE = "line health: a silent black hole until it is found, and the cost of watching"
# So many of each family.
DEATHS = int(os.environ.get("MULTIHOME_BENCHMARK_DEATHS", "100"))
USAGE = 20.0
SWITCHES = 10
MOVES = 20
FEW, MANY = 4, 250


def measure(say: Callable[[str], None]) -> Report:
    """Let lines die for a while, then watch several and many lines that live."""
    say(f"{SWITCHES} deaths until new connections work again, in each family, of the server and of a client behind it")
    switches = {family: _switches(family) for family in FAMILIES}
    compared = peers.compare(say)
    say(f"{MOVES} new addresses of a line")
    moves = _moves()
    with lab() as network:
        say(f"{DEATHS} deaths in each family")
        deaths = _deaths(network)
        carriers = _carriers(network)
        # The next router answers for the targets: what is measured is the loop, not a whole internet on one machine.
        network.hosts["isp-a"].address(
            "lo", *(f"{each}/{32 if f == 4 else 128}" for f in FAMILIES for each in TARGETS[f])
        )
        _hold_addresses(network, MANY)
        say(f"{FEW} lines, for {USAGE:.0f} s")
        few = _usage(network, FEW)
        say(f"{MANY} lines, for {USAGE:.0f} s")
        many = _usage(network, MANY)
    figures = [
        Figure(f"black hole until {who} connects again, IPv{family}, {word}", value(found), " s", at_most=2.0)
        for family, by in switches.items()
        for who, found in by.items()
        for word, value in ((f"median of {SWITCHES}", statistics.median), ("longest", max))
    ]
    figures += [
        Figure(f"the same with {name}, IPv4, median of {len(found)}", statistics.median(found), " s")
        for name, found in compared.seconds.items()
    ]
    figures += [figure for family in FAMILIES for figure in _percentiles(family, deaths[family])]
    figures += [
        Figure(f"a line's new address until rules and NAT follow, {word}", value(moves), " s", at_most=1.0)
        for word, value in ((f"median of {MOVES}", statistics.median), ("longest", max))
    ]
    figures.append(Figure("lost carrier until down, median", statistics.median(carriers), " s", at_most=0.1))
    note = f"{len(TARGETS[4])} targets in each of 2 families; {{:.1f}} % are the kernel's, the targets' part included"
    for count, used, limit in ((FEW, few, 1.0), (MANY, many, 10.0)):
        figures.append(
            Figure(
                f"processor with {count} lines",
                used["percent"],
                " %",
                at_most=limit,
                note=note.format(used["percent_in_kernel"]),
            )
        )
        figures.append(
            Figure(f"memory with {count} lines", used["megabytes"], " MB", at_most=30 if count == FEW else None)
        )
    data = {
        "switches": switches,
        "deaths": deaths,
        "carriers": carriers,
        "moves": moves,
        "usage": {FEW: few, MANY: many},
    }
    absent = "\n".join(f"{name}: not run: {reason}" for name, reason in compared.not_run.items())
    return Report(figures, {**data, "peers": compared.seconds, "not_run": compared.not_run}, absent)


def _percentiles(family: int, seconds: Sequence[float]) -> list[Figure]:
    ninety_nine = statistics.quantiles(seconds, n=100, method="inclusive")[98]
    what = f"black hole until down, IPv{family}"
    return [
        Figure(f"{what}, median of {len(seconds)}", statistics.median(seconds), " s", at_most=1.2),
        Figure(f"{what}, p99", ninety_nine, " s", at_most=1.5),
    ]


def _switches(family: int) -> dict[str, list[float]]:
    """Return the seconds from each death of the preferred line until a new connection is answered, by who opened it."""
    found: dict[str, list[float]] = {"the server": [], "a client behind it": []}
    targets = [*TARGETS[4], *TARGETS[6]]
    with tempfile.TemporaryDirectory() as directory, served_lab(Path(directory), "client") as served:
        client = served.network.connect("client")
        served.run("nat_rules", rules=_translations())
        served.lines(*(line(name, health={"targets": targets, "up_after": 0}) for name in LINES))
        served.start()
        hosts = (served.server, client)
        seekers = {who: Seeker(host, family) for who, host in zip(found, hosts, strict=True)}
        for _time in range(SWITCHES):
            served.all_up()
            served.eventually(lambda: served.leaves_by(family) == LINES[0], "the preferred line is used")
            died = served.network.kill(LINES[0])
            # A connection that began before the line was dead says nothing.
            dead = time.monotonic()
            for who, seeker in seekers.items():
                found[who].append(seeker.works_again(dead) - died)
            served.network.heal(LINES[0])
        for seeker in seekers.values():
            seeker.stop()
    return found


def _translations() -> list[dict[str, str]]:
    """What clients send leaves each line by that line's address."""
    return [
        {"type": "snat", "source": LAN[family][0], "out_interface": name, "to_address": ADDRESSES[name, family]}
        for name in LINES
        for family in FAMILIES
    ]


def _moves() -> list[float]:
    """Return the seconds from each new address of a firewall's line until rule and translation have it."""
    found = []
    with tempfile.TemporaryDirectory() as directory, assigned.site(Path(directory)) as site:
        firewall.deploy(site)
        site.start()
        ways = [(assigned.OLD, "old"), (assigned.NEW, "new")]
        for number in range(MOVES):
            (taken, _former), (given, gateways) = ways[number % 2], ways[1 - number % 2]
            site.assign(given, gateways, taken)
            begin = time.monotonic()
            while not _has_moved(site, given):
                assert time.monotonic() < begin + 60, site.log()
            found.append(time.monotonic() - begin)
            # The next one comes long after: the keeper gathers what happens within a moment.
            time.sleep(2)
    return found


def _has_moved(site: assigned.Site, addresses: dict[int, str]) -> bool:
    rules = "".join(site.host.run("ip", f"-{family}", "rule").stdout for family in FAMILIES)
    translations = site.host.run("nft", "list", "table", "inet", "multihome").stdout
    return all(f"from {each} " in rules and f"{each}" in translations for each in addresses.values())


def _dying(network: Lab) -> Any:
    """Both lines, without a hold time, so that the next death can follow soon."""
    targets = [*TARGETS[4], *TARGETS[6]]
    return network.watching(*(line(name, health={"targets": targets, "up_after": 0}) for name in LINES))


def _deaths(network: Lab) -> dict[int, list[float]]:
    """Return, by family, the seconds until each death was found; both lines die, one after the other."""
    found: dict[int, list[float]] = {family: [] for family in FAMILIES}
    chance = random.Random(1)
    with _dying(network) as watcher:
        while len(found[4]) < DEATHS:
            watcher.all_up()
            time.sleep(0.6 + chance.random())
            died = {}
            for name in LINES:
                died[name] = network.kill(name)
                time.sleep(0.1 * chance.random())
            for name in LINES:
                for family in FAMILIES:
                    found[family].append(watcher.waits(name, family, "down", died[name]) - died[name])
            for name in LINES:
                network.heal(name)
    return found


def _carriers(network: Lab) -> list[float]:
    """Return the seconds until a lost carrier was found, from the end of the command that took it."""
    found = []
    with _dying(network) as watcher:
        for _time in range(7):
            watcher.all_up()
            port = ["ip", "link", "set", "customer"]
            begin = time.monotonic()
            network.hosts["isp-a"].run(*port, "down")
            taken = time.monotonic()
            found.append(max(0.0, watcher.waits("a", 4, "down", begin) - taken))
            network.hosts["isp-a"].run(*port, "up")
            network.settle()
    return found


def _hold_addresses(network: Lab, count: int) -> None:
    """Give the server an address of each family for each of so many lines, all on one interface."""
    rows = [f"address replace {_address(number, f)}/{LENGTH[f]} dev a" for number in range(count) for f in FAMILIES]
    nodad = [row + (" nodad" if ":" in row else "") for row in rows]
    network.server.run("ip", "-batch", "-", feed="\n".join(nodad) + "\n")


def _address(number: int, family: int) -> str:
    """An address of line a's network that nobody else has."""
    last = number + 2 if number + 2 < 10 else number + 3
    return f"203.0.113.{last}" if family == 4 else f"2001:db8:a::{last + 0x1000:x}"


def _usage(network: Lab, count: int) -> dict[str, float]:
    """Return what watching so many lines takes, once all are up."""
    lines = [
        {**line("a"), "name": f"line{number}", "id": number + 1, "addresses": [_address(number, f) for f in FAMILIES]}
        for number in range(count)
    ]
    with network.watching(*lines) as watcher:
        eventually(lambda: _up(watcher) == 2 * count, f"{count} lines up", 60)
        time.sleep(3)
        before = watcher.usage()
        time.sleep(USAGE)
        after = watcher.usage()
    seconds = after["at"] - before["at"]
    percent = 100 * (after["seconds"] - before["seconds"]) / seconds
    return {
        "percent": percent,
        "percent_in_kernel": 100 * (after["system"] - before["system"]) / seconds,
        "megabytes": after["kilobytes"] / 1024,
        "lags": after["lags"] - before["lags"],
    }


def _up(watcher: Watcher) -> int:
    known: dict[str, list[str]] = next((each["lines"] for each in reversed(watcher.said) if "lines" in each), {})
    return sum(shown[0] == "up" for shown in known.values())
