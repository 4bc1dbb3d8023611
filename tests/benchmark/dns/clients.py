# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of a name while a line dies silently: curl and headless Chromium, with the resolver Unbound between.

Once with the keeper, which withdraws the line's addresses, and once without it. Each request is a new process, so no
client remembers an address. A TTL of 60 s is in between: the resolver may give out the dead address that long.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ansible_collections.multihome.linux.tests.lab.waiting import eventually

from ...e2e import line_health, playbooks, zone
from ...integration.dns.resolvers import resolver
from ...integration.dns.servers import ROOT, NameServer
from ...integration.namespaces import Host
from ...lab.lab import Lab
from ...lab.topology import choose
from ..figures import Figure

SERVER, CLIENT = "client1", "client2"
URL = f"http://{zone.DOMAIN}/"
BEFORE, AFTER, LATE = 6.0, 80.0, 65.0
PATIENCE = 15
CHROMIUM = ROOT / ".cache" / "chromium"


@dataclass(frozen=True)
class Request:
    """One request: seconds since the line died (negative before), how long it took, and whether it was answered."""

    at: float
    seconds: float
    good: bool


def measure(say: Callable[[str], None]) -> tuple[list[Figure], str, dict[str, list[tuple[float, float, bool]]]]:
    """Return the figures, a table, and every request by client and way."""
    sys.path.insert(0, str(ROOT / "scripts"))
    import name_servers  # noqa: PLC0415 - a script, which is no package

    name_servers.ensure_browser(ROOT / ".cache")
    figures: list[Figure] = []
    rows = [f"{'client':10} {'addresses of dead lines':24} requests  failed  lost s: mean   max  after 65 s"]
    data: dict[str, list[tuple[float, float, bool]]] = {}
    for withdraws in (True, False):
        way = "withdrawn" if withdraws else "left in the zone"
        for client, requests in _one_way(withdraws, say).items():
            before = [each.seconds for each in requests if each.at < 0 and each.good]
            usual = statistics.median(before)
            after = [each for each in requests if each.at >= 0]
            lost = [max(0.0, each.seconds - usual) for each in after]
            late = [max(0.0, each.seconds - usual) for each in after if each.at >= LATE]
            failed = sum(not each.good for each in after)
            mean, worst = statistics.mean(lost), max(lost)
            last = statistics.mean(late) if late else 0.0
            rows.append(f"{client:10} {way:24} {len(after):8} {failed:7} {mean:13.2f} {worst:5.1f} {last:11.2f}")
            figures += [
                Figure(f"{client}, {way}: failed requests of {len(after)}", failed),
                Figure(f"{client}, {way}: lost per request, mean", mean, " s"),
                Figure(f"{client}, {way}: lost per request once the answer expired", last, " s"),
            ]
            data[f"{client}, {way}"] = [(each.at, each.seconds, each.good) for each in requests]
    return figures, "\n".join(rows), data


def _one_way(withdraws: bool, say: Callable[[str], None]) -> dict[str, list[Request]]:
    lab = Lab(f"bench-dns-{os.getpid()}")
    say(f"clients, addresses of dead lines {'withdrawn' if withdraws else 'left in the zone'}")
    try:
        lab.up(choose(lines=2))
        with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
            server = stack.enter_context(zone.name_server(lab, SERVER, Path(directory) / "knot"))
            lists = {**zone.declared(lab, server), **line_health.watched(lab)}
            playbooks.deploy(lab, variables=lists)
            stack.enter_context(_resolver(lab, server, Path(directory)))
            if withdraws:
                stack.enter_context(line_health.keepers(lab, "web1"))
                eventually(lambda: '"up"' in lab.exec("web1", "cat", "/run/multihome/health.json", check=False).stdout)
            return _ask_while_the_line_dies(lab, Path(directory))
    finally:
        lab.down()


def _ask_while_the_line_dies(lab: Lab, directory: Path) -> dict[str, list[Request]]:
    found: dict[str, list[Request]] = {"curl": [], "Chromium": []}
    died = time.monotonic() + BEFORE
    ends = died + AFTER

    def keep_asking(client: str, command: Sequence[str], pause: float) -> None:
        while (begin := time.monotonic()) < ends:
            done = lab.exec(CLIENT, *command, check=False, timeout=60)
            took = time.monotonic() - begin
            found[client].append(Request(begin - died, took, '"host": "web1"' in done.stdout))
            time.sleep(max(0.0, pause - took))

    clients = [("curl", _curl(), 0.5), ("Chromium", _chromium(directory), 2.0)]
    threads = [threading.Thread(target=keep_asking, args=each) for each in clients]
    for thread in threads:
        thread.start()
    time.sleep(max(0.0, died - time.monotonic()))
    lab.break_line(lab.lines[0].name, "blackhole")
    for thread in threads:
        thread.join()
    return found


def _curl() -> list[str]:
    return ["curl", "--silent", "--max-time", str(PATIENCE), URL]


def _chromium(directory: Path) -> list[str]:
    libraries = [str(path) for path in CHROMIUM.glob("usr/lib/*-linux-gnu")]
    libraries += [*(f"{path}/pulseaudio" for path in libraries), str(CHROMIUM / "usr/lib/chromium")]
    browser = str(CHROMIUM / "usr/lib/chromium/chromium-headless-shell")
    options = ["--no-sandbox", "--headless", "--disable-gpu", f"--user-data-dir={directory}/profile", "--dump-dom"]
    limit = ["timeout", str(PATIENCE)]
    return ["env", f"LD_LIBRARY_PATH={os.pathsep.join(libraries)}", *limit, browser, *options, URL]


@contextmanager
def _resolver(lab: Lab, server: NameServer, directory: Path) -> Iterator[None]:
    """Run Unbound on the client's host, which asks it alone."""
    script = 'cd /etc && rm -f resolv.conf nsswitch.conf && echo "$0" > resolv.conf && echo "$1" > nsswitch.conf'
    lab.exec(CLIENT, "sh", "-c", script, "nameserver 127.0.0.1", "hosts: files dns")
    host = cast(Host, zone.LabHost(lab, CLIENT))
    with resolver(host, directory / "unbound", "unbound", "127.0.0.1", server.address):
        eventually(lambda: lab.exec(CLIENT, "getent", "ahosts", zone.DOMAIN, check=False).stdout != "")
        yield
