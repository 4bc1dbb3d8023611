# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other programs need in the same lab, with the settings that they come with, until new connections work again.

They are Debian's packages, unpacked below .cache and run on the lab's server with that directory as their root. Each
gets what its documentation asks for: the lines, an address beyond each, and a script that is called on a change.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ansible_collections.multihome.linux.tests.lab.state import CHECKOUT
from ansible_collections.multihome.linux.tests.lab.waiting import eventually

from ...integration.health.lab import ADDRESSES, GATEWAYS, LINES, TARGETS, Lab, lab
from ...integration.health.served import Seeker, echo, leaves_by

SUITE = "trixie"
PACKAGES = (
    *("foolsm", "foomuuri", "fping", "shorewall"),
    *("bash", "bsdutils", "ca-certificates", "coreutils", "dash", "grep", "iproute2", "iptables", "kmod", "mawk"),
    *("nftables", "perl-base", "procps", "sed"),
)
SWITCHES = 3
_PATIENCE = 120.0
_ROOT = "/run/peer"
_NO_PACKAGE = f"no package of Debian, {SUITE} included"
NOT_PACKAGED = {"link-balancer": _NO_PACKAGE, "shorewall-nft": _NO_PACKAGE}
# Asked by line, in this order; what the measured connections ask is another.
_ASKED = dict(zip(LINES, TARGETS[4][1:], strict=True))
_MEASURED = TARGETS[4][0]

_SHOREWALL = {
    "zones": "fw firewall\nnet ipv4\n",
    "interfaces": "?FORMAT 2\nnet a optional\nnet b optional\n",
    "policy": "all all ACCEPT\n",
    "providers": (
        f"a 1 1 - a {GATEWAYS['a', 4]} track,primary\n"
        f"b 2 2 - b {GATEWAYS['b', 4]} track,fallback\n"
    ),
    "routes": "".join(f"main {_ASKED[name]} {GATEWAYS[name, 4]} {name}\n" for name in LINES),
}  # fmt: skip
# Its arguments: the new state, the name of the connection, ...
_FOOLSM_EVENT = """#!/bin/sh
PATH=/usr/sbin:/usr/bin
case $1 in up) exec shorewall enable "$2" ;; down) exec shorewall disable "$2" ;; esac
"""
_FOOMUURI_EVENT = """#!/bin/sh
case $1 in up) word=replace ;; down) word=delete ;; esac
exec /usr/sbin/ip route $word default via $3 dev $2 metric $4
"""


@dataclass
class Compared:
    """The seconds of each peer's switches, and why a peer was not run."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=lambda: dict(NOT_PACKAGED))


def compare(say: Callable[[str], None]) -> Compared:
    """Measure each peer that can be had."""
    found = Compared()
    try:
        root = _unpacked()
    except RuntimeError as error:
        found.not_run.update(dict.fromkeys(_PEERS, str(error)))
        return found
    for name, start in _PEERS.items():
        say(f"{SWITCHES} deaths with {name}")
        try:
            found.seconds[name] = _switches(root, start)
        except AssertionError as error:
            found.not_run[name] = " ".join(str(error).split())[:300]
    return found


def _unpacked() -> Path:
    """Return the packages' directory; RuntimeError with the reason where they cannot be had."""
    command = [sys.executable, str(CHECKOUT / "scripts" / "debian_root.py"), SUITE, *PACKAGES]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["its packages cannot be had"])[-1])
    return Path(done.stdout.strip().splitlines()[-1])


class Peer(Protocol):
    """Configures and starts a peer."""

    def __call__(self, root: Root) -> None:
        """Do that; the lab ends what runs."""


class Root:
    """The packages' directory as the root of the server's programs; what is written there goes with the lab."""

    def __init__(self, network: Lab, directory: Path) -> None:
        self._server = network.server
        self._server.run("mkdir", "-p", "/run/peer-above", "/run/peer-work", _ROOT)
        options = f"lowerdir={directory},upperdir=/run/peer-above,workdir=/run/peer-work"
        self._server.run("mount", "-t", "overlay", "-o", options, "overlay", _ROOT)
        for place in ("/proc", "/dev", "/sys"):
            self._server.run("mount", "--rbind", place, f"{_ROOT}{place}")
        # What the packages' scripts would have done.
        for name in ("iptables", "iptables-save", "iptables-restore"):
            tail = name[len("iptables") :]
            self._server.run("ln", "-sf", f"iptables-nft{tail}", f"{_ROOT}/usr/sbin/{name}")
        self._server.run("ln", "-sf", "mawk", f"{_ROOT}/usr/bin/awk")
        certificates = "cat /usr/share/ca-certificates/mozilla/*.crt > /etc/ssl/certs/ca-certificates.crt"
        self.run("sh", "-c", f"mkdir -p /etc/ssl/certs && {certificates}")

    def write(self, files: Mapping[str, str]) -> None:
        """Write files; one that begins with #! is a program."""
        for path, text in files.items():
            mode = "755" if text.startswith("#!") else "644"
            self._server.run("install", "-D", "-m", mode, "/dev/stdin", f"{_ROOT}{path}", feed=text)

    def read(self, path: str) -> str:
        """Return a file's text."""
        return self._server.run("cat", f"{_ROOT}{path}").stdout

    def run(self, *command: str) -> None:
        """Run a program to its end; AssertionError with its output when it fails."""
        self._server.run("chroot", _ROOT, *command)

    def start(self, *command: str) -> None:
        """Start a program."""
        silent = subprocess.DEVNULL
        self._server.start("chroot", _ROOT, *command, stdout=silent, stderr=silent)


def _shorewall(root: Root) -> None:
    settings = root.read("/etc/shorewall/shorewall.conf").replace("STARTUP_ENABLED=No", "STARTUP_ENABLED=Yes")
    # As its documentation asks for with several providers.
    settings = settings.replace("ROUTE_FILTER=Yes", "ROUTE_FILTER=No")
    files = {f"/etc/shorewall/{name}": text for name, text in _SHOREWALL.items()}
    connections = [
        f"connection {{\n name={name}\n checkip={_ASKED[name]}\n device={name}\n sourceip={ADDRESSES[name, 4]}\n"
        " eventscript=/etc/foolsm/event\n status=1\n ttl=0\n}\n"
        for name in LINES
    ]
    files["/etc/foolsm/foolsm.conf"] = "".join(connections)
    root.write({**files, "/etc/shorewall/shorewall.conf": settings, "/etc/foolsm/event": _FOOLSM_EVENT})
    root.run("shorewall", "start")
    root.start("foolsm", "--config", "/etc/foolsm/foolsm.conf", "--no-fork")


def _foomuuri(root: Root) -> None:
    targets = [
        f"target {name} {{\n command fping --iface {name} {_ASKED[name]}\n"
        f" command_up /etc/foomuuri/event up {name} {GATEWAYS[name, 4]} {metric}\n"
        f" command_down /etc/foomuuri/event down {name} {GATEWAYS[name, 4]} {metric}\n}}\n"
        for metric, name in enumerate(LINES, 100)
    ]
    zones = "zone {\n localhost\n wan a b\n}\nwan-localhost {\n accept\n}\nlocalhost-wan {\n accept\n}\n"
    root.write({"/etc/foomuuri/foomuuri.conf": zones + "".join(targets), "/etc/foomuuri/event": _FOOMUURI_EVENT})
    for metric, name in enumerate(LINES, 100):
        route = ["via", GATEWAYS[name, 4], "dev", name]
        root.run("ip", "route", "add", "default", *route, "metric", str(metric))
        root.run("ip", "route", "add", _ASKED[name], *route)
    root.run("foomuuri", "start")
    root.start("foomuuri", "monitor")


_PEERS: dict[str, Peer] = {"shorewall with foolsm": _shorewall, "foomuuri": _foomuuri}


def _switches(directory: Path, start: Peer) -> list[float]:
    """Return the seconds from each death of the preferred line until a new connection of the server is answered."""
    found = []
    with lab() as network:
        for family in (4, 6):
            network.server.run("ip", f"-{family}", "route", "del", "default")
        echo(network.world)
        start(Root(network, directory))
        seeker = Seeker(network.server, 4)
        for _time in range(SWITCHES):
            eventually(lambda: leaves_by(network.server, 4) == LINES[0], "the preferred line is used", _PATIENCE)
            # It has had answers for a while, so that it starts from rest.
            time.sleep(5)
            died = network.kill(LINES[0])
            found.append(seeker.works_again(time.monotonic(), _PATIENCE) - died)
            network.heal(LINES[0])
        seeker.stop()
    return found
