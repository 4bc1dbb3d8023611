# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""More lines than two: ids with gaps, lines that come and go under load, eight lines, lines that are down at first."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.e2e.dumps import Dump, differences, dump
from ansible_collections.multihome.linux.tests.e2e.offers import offers, plain
from ansible_collections.multihome.linux.tests.e2e.traffic import Load, load
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import BREAKS, Lab

STAY, COMES = ["unicom", "line3"], "interlink"


@pytest.fixture(scope="module")
def three(start_lab: StartLab) -> Lab:
    """Three lines with ids 3, 17 and 250, of which the middle one is not declared yet; the tests go on from there."""
    lab = start_lab(ids=[3, 17, 250])
    playbooks.deploy(lab, variables=playbooks.declared(lab, STAY))
    assert checks.services_answered(lab, STAY) == []
    assert checks.line_is_dead(lab, COMES) == []
    return lab


@contextmanager
def watched(lab: Lab) -> Iterator[tuple[Load, list[str]]]:
    """Load on the lines that stay, and what the server's kernel says of addresses, routes and rules meanwhile."""
    said: list[str] = []
    monitor = lab.popen(
        "web1", "ip", "-Numeric", "-oneline", "monitor", "address", "route", "rule", stdout=subprocess.PIPE
    )
    urls = [offer.url for offer in offers(lab.topology, STAY)]
    with monitor, load(lab, "client1", urls) as requests:
        try:
            time.sleep(0.5)
            yield requests, said
        finally:
            monitor.terminate()
            assert monitor.stdout is not None
            said += [line.rstrip() for line in monitor.stdout if line.strip()]


def of_the_line(lab: Lab, name: str) -> re.Pattern[str]:
    """Return what the objects of a line are known by: its addresses, its next hops, its table."""
    (line,) = (line for line in lab.lines if line.name == name)
    addresses = [*line.public, *line.inside, *(a for server in lab.topology.servers for a in server.addresses[name])]
    words = [*map(plain, addresses), f"table {1000 + line.id}", f"lookup {1000 + line.id}"]
    return re.compile("|".join(rf"(?<![\w.:]){re.escape(word)}(?![\w.:])" for word in words))


def of_others(lab: Lab, before: Dump, after: Dump) -> list[str]:
    """Return the differences of two dumps that are not about line `COMES`, on hosts that are not its own firewall."""
    wanted = of_the_line(lab, COMES)
    lines = differences(before, after)
    # Files that are about all lines: the names of their tables, the state stored for the next boot, and the directory
    # that holds the journal of a run as long as the run changes that state; and the states recorded before a run.
    shared = re.compile("/etc/iproute2/rt_tables.d|/etc/multihome[/ ]|/run/multihome d |/var/lib/multihome[/ ]")
    return [line for line in lines if not (line.startswith("fw-b: ") or shared.search(line) or wanted.search(line))]


def stored(lab: Lab) -> str:
    """Return all that the server has stored for the next boot."""
    return lab.exec("web1", "grep", "-rh", "", "/etc/multihome").stdout


def test_a_line_that_is_added_touches_no_other_line_and_drops_no_packet(three: Lab) -> None:
    before = dump(three)
    with watched(three) as (requests, said):
        playbooks.deploy(three)
    assert (requests.failed, requests.answered > 10) == (0, True), requests.report
    assert any("192.168.168.2" in line for line in said)  # the monitor has seen it come
    assert [line for line in said if not of_the_line(three, COMES).search(line)] == []
    assert of_others(three, before, dump(three)) == []
    assert of_the_line(three, COMES).search(stored(three))


def test_with_three_lines_and_sparse_ids_everything_holds(three: Lab) -> None:
    assert checks.everything(three) == []
    rules = three.exec("web1", "ip", "rule").stdout
    assert all(f"{23000 + 10 * number}:" in rules for number in (3, 17, 250))
    assert sorted(line.id for line in three.lines) == [3, 17, 250]
    assert all(f"lookup {line.name} proto multihome" in rules for line in three.lines)


def test_nothing_changes_the_second_time_whatever_the_order_of_the_lines(three: Lab) -> None:
    lists = playbooks.declared(three)
    for name in lists:
        lists[name].reverse()
    before = dump(three)
    assert checks.nothing_changed(playbooks.deploy(three, variables=lists)) == []
    assert differences(before, dump(three)) == []


def test_a_line_that_is_removed_takes_all_its_own_and_touches_no_other_line(three: Lab) -> None:
    before = dump(three)
    with watched(three) as (requests, said):
        playbooks.deploy(three, variables=playbooks.declared(three, STAY))
    assert (requests.failed, requests.answered > 10) == (0, True), requests.report
    assert any("192.168.168.2" in line for line in said)
    assert [line for line in said if not of_the_line(three, COMES).search(line)] == []
    after = dump(three)
    assert of_others(three, before, after) == []
    left = of_the_line(three, COMES)
    assert [
        line for (host, _what), lines in after.items() if host != "fw-b" for line in lines if left.search(line)
    ] == []
    assert left.search(stored(three)) is None
    assert COMES not in three.exec("web1", "cat", "/etc/iproute2/rt_tables.d/multihome.conf").stdout
    own = [line for (host, kind), lines in after.items() if host == "fw-b" and kind != "files" for line in lines]
    assert [line for line in own if "multihome" in line or "proto 109" in line] == []
    assert checks.services_answered(three, STAY) == []
    assert checks.line_is_dead(three, COMES) == []
    assert checks.nothing_changed(playbooks.deploy(three, variables=playbooks.declared(three, STAY))) == []


def test_eight_lines_of_which_some_are_down_at_first_serve_as_soon_as_they_heal(start_lab: StartLab) -> None:
    """One line for each way to be broken, the preferred one among them, and five that are whole."""
    lab = start_lab(lines=8)
    names = [line.name for line in lab.lines]
    broken, whole = names[: len(BREAKS)], names[len(BREAKS) :]
    for line, how in zip(broken, BREAKS, strict=True):
        lab.break_line(line, how)
    playbooks.deploy(lab)
    assert checks.services_answered(lab, whole) == []
    assert checks.lan_reaches_aliases(lab) == []
    for line in broken:
        assert checks.line_is_dead(lab, line) == []
        lab.heal_line(line)
    assert checks.eventually(lambda: checks.services_answered(lab)) == []
    assert checks.everything(lab) == []
    assert checks.nothing_changed(playbooks.deploy(lab)) == []
    lab.break_line("unicom", "carrier")
    assert checks.services_answered(lab, names[1:]) == []
