# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server with two interfaces on real links, the Pythons that modules have to run with, and views of the kernel."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.lab.waiting import eventually

from ..namespaces import Host, Hosts
from ..run_module import run_module

OLDEST_PYROUTE2 = str(Path(__file__).resolve().parents[3] / ".venv" / "oldest")
DEBIAN_PYTHON = "/usr/bin/python3"


@dataclass(frozen=True)
class Variant:
    """A Python and the directories it imports from first."""

    python: str = sys.executable
    path: tuple[str, ...] = ()


@pytest.fixture(params=["newest", "oldest", "debian"])
def variant(request: pytest.FixtureRequest) -> Variant:
    """Give each Python and pyroute2 that modules have to run with."""
    if request.param == "debian":
        found = subprocess.run([DEBIAN_PYTHON, "-c", "import pyroute2"], capture_output=True, check=False)
        if found.returncode:
            pytest.skip(f"{DEBIAN_PYTHON} has no pyroute2; apt-get install python3-pyroute2")
        return Variant(DEBIAN_PYTHON)
    return Variant(path=(OLDEST_PYROUTE2,) if request.param == "oldest" else ())


@contextmanager
def server() -> Iterator[Host]:
    """Make a server with eth0 and eth1, both with carrier, and without any address of its own."""
    with Hosts("server", "lan") as hosts:
        for interface in ("eth0", "eth1"):
            hosts.link("server", interface, "lan", interface)
        # Without duplicate address detection an IPv6 address is there at once; no link-local one comes and goes.
        settings = {f"net__ipv6__conf__{name}__accept_dad": 0 for name in ("all", "eth0", "eth1")}
        settings |= {f"net__ipv6__conf__{name}__addr_gen_mode": 1 for name in ("eth0", "eth1")}
        for host in ("server", "lan"):
            hosts[host].sysctl(**settings)
            hosts[host].address("eth0")
            hosts[host].address("eth1")
        _await_carriers(hosts["server"])
        yield hosts["server"]


def _await_carriers(host: Host) -> None:
    """Wait until both links are up: until then the kernel shows routes by them as dead, and then no more."""
    eventually(
        lambda: all(link["operstate"] == "UP" for link in show(host, "link") if link["ifname"] != "lo"),
        lambda: show(host, "link"),
    )


@contextmanager
def server_with_addresses() -> Iterator[Host]:
    """Make a server that has foreign addresses on both interfaces, to route by."""
    with server() as host:
        host.address("eth0", "10.0.0.1/24", "fd00::1/64")
        host.address("eth1", "10.1.0.1/24", "fd01::1/64")
        yield host


def run(host: Host, module: str, variant: Variant | None = None, **options: Any) -> dict[str, Any]:
    """Run a module on a host; ``check`` and ``diff`` are its modes, the rest its options."""
    chosen = variant or Variant()
    modes = {mode: options.pop(mode, False) for mode in ("check", "diff")}
    return run_module(module, options, netns_prefix=host.prefix, python=chosen.python, path=chosen.path, **modes)


def quartet(host: Host, module: str, variant: Variant, **options: Any) -> dict[str, Any]:
    """Run check, real, check, real, and return the result of the first real one."""
    before = whole(host)
    foreseen = run(host, module, variant, check=True, **options)
    assert foreseen.get("changed") is True, foreseen
    assert whole(host) == before, "check mode changed the host"
    done = run(host, module, variant, **options)
    assert done.get("changed") is True, done
    assert (foreseen["actions"], foreseen["after"]) == (done["actions"], done["after"])
    after = whole(host)
    assert after != before
    for check in (True, False):
        again = run(host, module, variant, check=check, **options)
        assert again.get("changed") is False, again
        assert again["actions"] == []
    assert whole(host) == after
    return done


def show(host: Host, *what: str) -> list[dict[str, Any]]:
    """Return what ``ip -d -j`` says, with numbers for tables and protocols whatever they are called."""
    result = json.loads(host.run("ip", "-N", "-d", "-j", *what).stdout or "[]")
    assert isinstance(result, list)
    return result


def rules(host: Host) -> list[dict[str, Any]]:
    """Return the policy rules of both families."""
    return show(host, "-4", "rule") + show(host, "-6", "rule")


def routes(host: Host) -> list[dict[str, Any]]:
    """Return the routes of all tables of both families."""
    return show(host, "-4", "route", "show", "table", "all") + show(host, "-6", "route", "show", "table", "all")


def addresses(host: Host) -> list[dict[str, Any]]:
    """Return the addresses, each with its interface."""
    links = show(host, "address")
    return [{"interface": link["ifname"], **address} for link in links for address in link["addr_info"]]


def names(host: Host) -> str:
    """Return the files of ours that tell ip what numbers mean, each with its mode."""
    find = ("find", "/etc/iproute2", "-name", "*multihome*", "-printf", "%p %m\\n", "-exec", "cat", "{}", ";")
    return host.run(*find).stdout


def whole(host: Host) -> dict[str, Any]:
    """Return everything that the routing modules could touch."""
    return {"rules": rules(host), "routes": routes(host), "addresses": addresses(host), "names": names(host)}


def foreign(host: Host, owner: str = "109") -> dict[str, str]:
    """Return the rules and routes that are not of our owner tag, as text."""
    return {
        kind: json.dumps([item for item in items if item.get("protocol") != owner], indent=0)
        for kind, items in (("rules", rules(host)), ("routes", routes(host)))
    }


def owner_tags(host: Host) -> dict[str, int | None]:
    """Return the owner tag of each address as the newest pyroute2 reads it; older iproute2 does not show it."""
    program = (
        "import json, pyroute2\n"
        "with pyroute2.IPRoute() as route:\n"
        "    print(json.dumps({a.get_attr('IFA_ADDRESS'): a.get_attr('IFA_PROTO') for a in route.get_addr()}))\n"
    )
    tags = json.loads(host.run(sys.executable, "-c", program).stdout)
    assert isinstance(tags, dict)
    return tags
