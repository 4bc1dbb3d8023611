# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three lines by connection mark: what the tests of one firewall, of one address and of balance share."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

from ..lab.lab import Lab
from ..lab.topology import Topology
from . import checks, playbooks
from .offers import CLIENT, offers, plain, url
from .playbooks import Run
from .sabotage import Fault
from .traffic import ask, load

LINES = ("unicom", "interlink", "line3")


class OneAddress(Lab):
    """A lab whose servers have one address of each family for all lines, that of the first."""

    @property
    def topology(self) -> Topology:
        """The running lab's topology, with other addresses for the lines."""
        found = super().topology
        first = found.lines[0].name
        servers = [
            dataclasses.replace(server, addresses=dict.fromkeys(server.addresses, server.addresses[first]))
            for server in found.servers
        ]
        return dataclasses.replace(found, servers=tuple(servers))


def deploy(lab: Lab, lines: Sequence[str] | None = None, *arguments: str, **variables: Any) -> Run:
    """Deploy what the lab, as it is seen here, declares."""
    return playbooks.deploy(lab, *arguments, variables={**playbooks.declared(lab, lines), **variables})


def verified(lab: Lab) -> list[str]:
    """What verify has against it."""
    lists: dict[str, Any] = dict(playbooks.declared(lab))
    run = playbooks.verify(lab, **lists)
    return [*run.failures, *([run.errors] if run.code and not run.failures else [])]


def standing(lab: Lab, host: str, *command: str) -> str:
    """What a command shows on a host."""
    return lab.exec(host, *command).stdout


def echo_answered(lab: Lab, lines: Sequence[str] = LINES) -> list[str]:
    """Every public address answers a ping of two clients."""
    return [
        f"line {line.name}: {address} does not answer {client}"
        for line in lab.lines
        if line.name in lines
        for address in map(plain, line.public)
        for client in (CLIENT, "client2")
        if lab.exec(client, "ping", "-c1", "-W1", address, check=False).returncode
    ]


def firewall_outbound(lab: Lab) -> list[str]:
    """What the firewall sends from a public address leaves by its line; from none, by the preferred line."""
    problems = []
    clients = [plain(address) for address in lab.topology.hosts[CLIENT].interfaces[0].addresses]
    for line in lab.lines:
        for there, own in zip(map(url, clients), map(plain, line.public), strict=True):
            for source in (own, None) if line.name == "unicom" else (own,):
                seen = ask(lab, "fw", [there], source, timeout=1).get(there, {}).get("client")
                if seen != own:
                    problems.append(f"fw from {source}: seen as {seen}, not as {own} of {line.name}")
    return problems


def services_within_a_second(lab: Lab) -> list[str]:
    """As checks.services_answered, for what is known to be broken."""
    return checks.services_answered(lab, timeout=1)


def outbound_within_a_second(lab: Lab) -> list[str]:
    """As checks.outbound_by_alias, for what is known to be broken."""
    return checks.outbound_by_alias(lab, timeout=1)


def noticed(lab: Lab, *faults: Fault) -> None:
    """Inflict faults of different symptoms one after the other; each is noticed, and was not before."""
    for fault in faults:
        assert not fault.is_noticed(lab), fault
        fault.inflict(lab)
        assert fault.is_noticed(lab), fault


def costs_only_itself(lab: Lab, line: str, how: str) -> None:
    """Break a line under load, and heal it: the others lose no request."""
    others = [name for name in LINES if name != line]
    with load(lab, CLIENT, [offer.url for offer in offers(lab.topology, others)]) as requests:
        time.sleep(0.3)
        lab.break_line(line, how)
        assert checks.line_is_dead(lab, line) == []
        assert checks.services_answered(lab, others) == []
    assert (requests.failed, requests.answered > 10) == (0, True), requests.report
    lab.heal_line(line)
    assert checks.eventually(lambda: checks.services_answered(lab)) == []
