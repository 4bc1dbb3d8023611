# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to hold in a deployed lab. Each check sends packets and returns what is wrong: [] is good.

Tests, their negative controls, the demo and the benchmark of deployments ask the same functions.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from ansible_collections.multihome.linux.plugins.module_utils._installed import digests_of

from ..lab.holder import LOG_DIRECTORY
from ..lab.lab import Lab
from ..lab.state import CHECKOUT
from ..lab.topology import LAN_CLIENT, Line
from .offers import CLIENT, FAMILIES, Offer, offers, plain, url
from .playbooks import Run
from .traffic import TIMEOUT, ask

_ENGINE = str(CHECKOUT / "plugins" / "module_utils" / "_core")
_AT_START = digests_of(_ENGINE)
MOST_TASKS = 12  # of a host in a run that changes nothing
# A firewall of several lines has its routes made ready before the marks that choose them.
MOST_TASKS_OF_SEVERAL_LINES = MOST_TASKS + 1


def services_answered(
    lab: Lab, lines: Sequence[str] | None = None, client: str = CLIENT, timeout: float = TIMEOUT
) -> list[str]:
    """Each line, service, family and port answers on the Internet: the right server, by its alias for that line.

    The ISPs let out only their own addresses (BCP 38), so what is answered was answered by its own line.
    """
    wanted = offers(lab.topology, lines)
    answers = ask(lab, client, [offer.url for offer in wanted], timeout=timeout)
    problems = []
    for offer in wanted:
        answer = answers.get(offer.url)
        if answer is None:
            problems.append(f"{offer}: no answer")
            continue
        found = (answer["host"], answer["local"], answer["port"])
        if found != (offer.server, offer.alias, offer.private_port):
            problems.append(f"{offer}: answered by {found}")
    return problems


def line_is_dead(lab: Lab, line: str, timeout: float = 1) -> list[str]:
    """Nothing answers by ``line``."""
    wanted = offers(lab.topology, [line])
    answers = ask(lab, CLIENT, [offer.url for offer in wanted], timeout=timeout)
    return [f"{offer}: answers" for offer in wanted if offer.url in answers]


def replies_leave_by_the_line(lab: Lab, line: str, rounds: int = 3) -> list[str]:
    """What is asked by ``line`` is answered by ``line`` alone, as counted at the ISPs' ends of all lines."""
    wanted = offers(lab.topology, [line])
    sources = {address for offer in wanted for address in (offer.public, offer.alias)}
    dropped = _filtered(lab)
    for each in lab.lines:
        lab.exec(each.isp, "nft", "-f", "-", stdin=_witness(sources))
    try:
        for _round in range(rounds):
            ask(lab, CLIENT, [offer.url for offer in wanted])
        seen = {each.name: _counted(lab, each.isp, "witness") for each in lab.lines}
    finally:
        for each in lab.lines:
            lab.exec(each.isp, "nft", "delete", "table", "inet", "witness")
    problems = [
        f"line {line}: {seen[each]} packets left by line {each}" for each in seen if each != line and seen[each]
    ]
    if seen[line] < rounds * len(wanted):
        problems.append(
            f"line {line}: its ISP saw only {seen[line]} packets in reply to {rounds * len(wanted)} requests"
        )
    if (wrong := _filtered(lab)) != dropped:
        problems.append(f"line {line}: packets with a source that is not the line's own: {dropped} before, now {wrong}")
    return problems


def log_shows_client(lab: Lab, lines: Sequence[str] | None = None) -> list[str]:
    """The web server's log has the client's own address, in each family and by each line."""
    path = secrets.token_hex(8)
    web = [offer for offer in offers(lab.topology, lines) if offer.url.startswith("http")]
    ask(lab, CLIENT, [offer.url + path for offer in web])
    logs = {server.name: _requests(lab, server.name, path) for server in lab.topology.servers}
    addresses = dict(zip(FAMILIES, _addresses(lab, CLIENT), strict=True))
    problems = []
    for offer in web:
        clients = {entry["client"] for entry in logs[offer.server] if entry["local"] == offer.alias}
        if clients != {addresses[offer.family]}:
            problems.append(f"{offer}: the log shows {sorted(clients) or 'nothing'}, not {addresses[offer.family]}")
    return problems


def lan_reaches_aliases(lab: Lab, timeout: float = TIMEOUT) -> list[str]:
    """A client on the LAN gets an answer from every alias of every server, directly."""
    aliases = [
        plain(address) for server in lab.topology.servers for own in server.addresses.values() for address in own
    ]
    answers = ask(lab, LAN_CLIENT, [url(alias) for alias in aliases], timeout=timeout)
    own = _addresses(lab, LAN_CLIENT)
    problems = []
    for alias in aliases:
        answer = answers.get(url(alias))
        if answer is None:
            problems.append(f"alias {alias}: the LAN client gets no answer")
        elif answer["local"] != alias or answer["client"] not in own:
            problems.append(f"alias {alias}: the LAN client {answer['client']} got to {answer['local']}")
    return problems


def client_reaches_aliases(lab: Lab, client: str, timeout: float = TIMEOUT) -> list[str]:
    """The LAN client gets an answer at its address ``client`` from every alias of that family."""
    servers = lab.topology.servers
    addresses = [plain(address) for server in servers for own in server.addresses.values() for address in own]
    aliases = [address for address in addresses if (":" in address) == (":" in client)]
    answers = ask(lab, LAN_CLIENT, [url(alias) for alias in aliases], source=client, timeout=timeout)
    return [f"alias {alias}: {client} gets no answer" for alias in aliases if url(alias) not in answers]


def hairpin(lab: Lab, lines: Sequence[str] | None = None, timeout: float = TIMEOUT) -> list[str]:
    """A client on the LAN gets an answer from every service by its public address."""
    wanted = offers(lab.topology, lines)
    answers = ask(lab, LAN_CLIENT, [offer.url for offer in wanted], timeout=timeout)
    problems = []
    for offer in wanted:
        answer = answers.get(offer.url)
        if answer is None or (answer["host"], answer["port"]) != (offer.server, offer.private_port):
            problems.append(f"{offer}: the LAN client gets {answer or 'no answer'}")
    return problems


def outbound_by_alias(lab: Lab, lines: Sequence[str] | None = None, timeout: float = TIMEOUT) -> list[str]:
    """What a server sends from an alias reaches the Internet, with the public address of the alias's line."""
    problems = []
    for server in lab.topology.servers:
        for line in _of(lab, server.addresses, lines):
            for place, alias in enumerate(map(plain, server.addresses[line.name])):
                seen = _seen_outside(lab, server.name, place, alias, timeout)
                if seen != plain(line.public[place]):
                    problems.append(f"{server.name} from {alias}: seen as {seen}, not as {line.public[place]}")
    return problems


def outbound_unbound(lab: Lab, preferred: str | None = None, timeout: float = TIMEOUT) -> list[str]:
    """What a server sends from no address in particular leaves by ``preferred`` (default: the heaviest line)."""
    problems = []
    for server in lab.topology.servers:
        own = _of(lab, server.addresses, preferred and [preferred])
        line = min(own, key=lambda line: (-line.weight, line.id))
        for place, family in enumerate(FAMILIES):
            seen = _seen_outside(lab, server.name, place, None, timeout)
            if seen != plain(line.public[place]):
                problems.append(f"{server.name} {family}: seen as {seen}, not as {line.public[place]} of {line.name}")
    return problems


def nothing_changed(run: Run) -> list[str]:
    """The run reported no change on any host, and reached each."""
    if not run.hosts:
        return ["no host was reached"]
    tasks = {
        host: [result.task for result in run.results if result.host == host and result.values.get("changed")]
        for host, count in run.changed.items()
        if count
    }
    found = [f"{host}: changed={run.changed[host]}: {', '.join(names)}" for host, names in tasks.items()]
    if found and digests_of(_ENGINE) != _AT_START:
        # A deployment installs the keeper's new code then, and rightly says so.
        found.append("the checkout was changed while the tests ran")
    return found


def tasks_of(run: Run) -> dict[str, int]:
    """The number of tasks that were executed on each host, or for it; those that were skipped do not count."""
    done = [result.host for result in run.results if result.status != "skipped"]
    return {host: done.count(host) for host in set(done)}


def modules_of(run: Run) -> dict[str, list[str]]:
    """The tasks of each host that ran a module of the collection, by host."""
    ran: dict[str, list[str]] = {}
    for result in run.results:
        # preflight returns what is pending, all others their actions; path_info is not one of the steps here.
        if {"pending", "actions"} & result.values.keys():
            ran.setdefault(result.host, []).append(result.task.split(" : ")[-1])
    return ran


def unchanged_and_short(run: Run, most: int = MOST_TASKS) -> list[str]:
    """A second run changes nothing, and takes no more than ``most`` tasks for any host."""
    long = [f"{host}: {count} tasks" for host, count in tasks_of(run).items() if count > most]
    return nothing_changed(run) + long


def everything(lab: Lab) -> list[str]:
    """All that has to hold while every line is whole. Where no firewall is, the LAN takes no part."""
    problems = services_answered(lab) + log_shows_client(lab) + outbound_by_alias(lab) + outbound_unbound(lab)
    if any(line.inside for line in lab.lines):
        problems += lan_reaches_aliases(lab) + hairpin(lab)
    for line in lab.lines:
        problems += replies_leave_by_the_line(lab, line.name)
    return problems


def eventually(check: Callable[[], list[str]], seconds: float = 15) -> list[str]:
    """Return what is wrong once nothing is, or after some seconds.

    After a line has healed, neighbours that did not answer are asked again only after a moment.
    """
    deadline = time.monotonic() + seconds
    while (problems := check()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return problems


def matrix(lab: Lab, lines: Sequence[str] | None = None) -> list[tuple[Offer, bool]]:
    """Return each offer and whether it is answered on the Internet."""
    wanted = offers(lab.topology, lines)
    answers = ask(lab, CLIENT, [offer.url for offer in wanted])
    return [(offer, offer.url in answers) for offer in wanted]


def _of(lab: Lab, names: Iterable[str], lines: Sequence[str] | None) -> list[Line]:
    return [line for line in lab.lines if line.name in names and (not lines or line.name in lines)]


def _addresses(lab: Lab, host: str) -> list[str]:
    """Return the IPv4 and the IPv6 address of a client."""
    return [plain(address) for address in lab.topology.hosts[host].interfaces[0].addresses]


def _seen_outside(lab: Lab, server: str, place: int, source: str | None, timeout: float) -> str | None:
    """Return the source address that the client on the Internet, which answers HTTP too, sees; None if none comes."""
    there = url(_addresses(lab, CLIENT)[place])
    answers = ask(lab, server, [there], source, timeout)
    return answers[there]["client"] if there in answers else None


def _requests(lab: Lab, server: str, path: str) -> list[Mapping[str, str]]:
    """Return the entries of a web server's log that are about ``path``."""
    log = lab.exec(server, "cat", f"{LOG_DIRECTORY}/access.log").stdout
    return [entry for entry in map(json.loads, log.splitlines()) if path in entry["request"]]


def _witness(sources: Iterable[str]) -> str:
    """Return the nft table that counts what a customer sends from any of ``sources``, before anything is dropped."""
    rules = [f"iifname line0 {'ip6' if ':' in source else 'ip'} saddr {source} counter" for source in sorted(sources)]
    hook = "type filter hook prerouting priority -300"
    return f"table inet witness {{ chain prerouting {{ {'; '.join([hook, *rules])}; }}; }}"


def _filtered(lab: Lab) -> dict[str, int]:
    """Return the number of packets that each line's ISP has dropped for their source address."""
    return {line.name: _counted(lab, line.isp, "source_filter") for line in lab.lines}


def _counted(lab: Lab, host: str, table: str) -> int:
    """Return the sum of the counters in a table of ``host``."""
    found = json.loads(lab.exec(host, "nft", "--json", "list", "table", "inet", table).stdout)
    rules = [part["rule"]["expr"] for part in found["nftables"] if "rule" in part]
    return sum(part["counter"]["packets"] for rule in rules for part in rule if "counter" in part)
