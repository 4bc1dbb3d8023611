# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why packets of a case are lost: each cause that this host can know, with its remedy."""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Iterator, Mapping, Sequence

from ... import fields
from ...errors import MultihomeError
from ...filters.rulesets import TRANSLATION_PRIORITY, Chain, Table
from ...filters.verdicts import MAPPED as MAPPED_STATES
from ...filters.verdicts import Traffic, possible_verdicts
from ...netlink.rtnetlink import RequestFailed
from ...routing.model import MAIN_TABLE
from ...routing.reply_model import REFUSED as REPLY_REFUSED
from ...routing.reply_model import TAKEN as REPLY_TAKEN
from ...routing.reply_model import Finding, Reply
from ...routing.reply_paths import check_replies
from ..host_state import LineState
from ..lines import LineWay
from ..terminal import age
from . import walk
from .kernel import Kernel, refusal
from .question import LOCAL, MAPPED, Case
from .ways import IN, OUT, Explained, Fault, Way, connection_mark

_REPAIR = "multihome repair; then multihome log, to see what removed it"
_CARRYING = ("up", "unknown", "suspect")
OURS = 109


def add_faults(
    found: Sequence[Explained], kernel: Kernel, health: Mapping[tuple[str, int], LineState], inside: Sequence[str]
) -> None:
    """Add the faults of all cases. ``inside`` are networks that the lines share."""
    neighbours = [way.neighbour for one in found for way in one.ways if way.neighbour]
    silent = kernel.silent(neighbours)
    taken = _taken(found, inside, kernel)
    for one in found:
        one.faults += _of_line(one.case, kernel)
        # What else is not in order then follows from that.
        follows = bool(one.faults)
        one.faults += _of_configuration(one.case, kernel)
        for way in one.ways:
            if not follows:
                way.faults += _of_answer(way, one.case, kernel)
                way.faults += _of_neighbour(way, one.case, silent)
            if way.direction == IN:
                way.faults += _of_connection(way, one.case, kernel)
            elif not follows and _is_forwarded(one.case, kernel):
                way.faults += _of_reply(way, one.case, taken)
        if one.case.line is not None:
            _add_health(one, health.get((one.case.line.name, one.case.family)))


# -------------------------------------------------------------------- the line
def _of_line(case: Case, kernel: Kernel) -> Iterator[Fault]:
    line = case.line
    if line is not None and line.interface is not None:
        link = kernel.links.get(kernel.other_names.get(line.interface, line.interface))
        if link is None:
            yield Fault(f"the interface {line.interface} of {line} does not exist", "see what creates it: ip link")
            return
        if not link.up:
            yield Fault(f"the interface {line.interface} of {line} is down", f"ip link set {line.interface} up")
        elif not link.running:
            remedy = "check the cable and the device at its other end"
            yield Fault(f"the interface {line.interface} of {line} has no carrier", remedy)
    if case.address is None and line is not None:
        missing = ", ".join(_own(line)) or "no address is stored"
        yield Fault(f"{line} has no IPv{case.family} address on this host ({missing})", _REPAIR)
    address = str(case.address)
    if case.kind == MAPPED and not kernel.is_local(address) and _is_on_link(address, line, kernel):
        yield Fault(f"{address} is no address of this host, so nobody on the link sends packets for it here", _REPAIR)


def _own(line: LineWay) -> list[str]:
    """Return the addresses of a line that are in its own networks, where there are any."""
    networks = [ipaddress.ip_network(network) for network in line.networks]
    own = [address for address in line.addresses if any(ipaddress.ip_address(address) in one for one in networks)]
    return own or list(line.addresses)


def _of_configuration(case: Case, kernel: Kernel) -> Iterator[Fault]:
    """What should be configured, and is not."""
    if case.missing:
        yield Fault(f"the translation of {case.address} to {case.mapped_to} is not configured", _REPAIR)
    yield from _of_marks(case, kernel)


def _is_on_link(address: str, line: LineWay | None, kernel: Kernel) -> bool:
    """Tell whether an address is in a network of an interface or of its line, where neighbours look for its owner."""
    wanted = ipaddress.ip_address(address)
    networks = [f"{own}/{length}" for own, (_name, length) in kernel.addresses.items()]
    networks += line.networks if line else ()
    same = (network for network in networks if (":" in network) == (":" in address))
    return any(wanted in ipaddress.ip_network(network, strict=False) for network in same)


def _of_marks(case: Case, kernel: Kernel) -> Iterator[Fault]:
    line = case.line
    # Addresses of one line alone tell the line by themselves; a server behind this host may have one for all lines.
    if line is None or line.mark is None or case.kind not in (MAPPED, LOCAL):
        return
    if connection_mark(case, kernel) is None:
        if case.kind == MAPPED:
            yield Fault(f"no connection of {line} gets its mark {fields.mark_text(line.mark)}", _REPAIR)
        return
    if case.kind == LOCAL:
        return
    mark, mask = line.mark[0], kernel.mask
    flows = [
        flow
        for flow in kernel.flows
        if flow.original.destination == case.address
        and case.protocol in (None, flow.protocol)
        and case.port in (None, flow.original.destination_port)
        and flow.reply.source == case.mapped_to
    ]
    wrong = [flow for flow in flows if flow.mark & mask != mark]
    if wrong:
        other = sorted({flow.mark & mask for flow in wrong})
        have = "no mark" if other == [0] else f"mark {', '.join(f'0x{each:x}' for each in other)}"
        yield Fault(
            f"{len(wrong)} of {len(flows)} tracked connections have {have} instead of 0x{mark:x}, so their replies "
            "leave by another line: they are older than the marks, or another program writes marks",
            f"conntrack -D -d {case.address}: their clients connect again",
        )


# -------------------------------------------------------------------- what the kernel answers
def _of_answer(way: Way, case: Case, kernel: Kernel) -> Iterator[Fault]:
    answer, arriving = way.answer, way.path.in_interface
    if way.direction == IN and case.kind == LOCAL:
        if answer.kind == "local":
            return
    elif answer.leaves:
        return
    # Before Linux 6.13 it is EXDEV; later ones say the same of everything that they drop.
    if way.direction == IN and answer.error in (errno.EXDEV, errno.EINVAL) and arriving:
        back = kernel.way_back(case.remote, case.mapped_to)
        if kernel.rp_filter(arriving) == 1 and back != arriving:
            leads = f"leads by {back}" if back else "does not exist"
            yield Fault(
                f"strict reverse path filtering on {arriving} drops it (rp_filter 1): the way back to {case.remote}, "
                f"looked up without the mark, {leads}",
                f"sysctl -w net.ipv4.conf.{arriving.replace('.', '/')}.rp_filter=2, and find out what set it",
            )
            return
    if not _is_forwarded(case, kernel):
        return  # _of_connection says so
    decided = answer.looked[-1] if answer.looked else None
    if decided is not None and decided.outcome == walk.REFUSED and decided.listed.owner != OURS:
        owner = fields.owner_name(decided.listed.owner)
        remedy = "remove it, or give it a priority after those of the lines"
        yield Fault(f"{decided.listed} of {owner} leads it nowhere: {decided.reason}", remedy)
    elif decided is not None and decided.outcome == walk.REFUSED:
        place = f"table {case.line.table} of {case.line}" if case.line else "the line's table"
        remedy = f"ip -{case.family} route show table {case.line.table}; {_REPAIR}" if case.line else _REPAIR
        yield Fault(f"{place} has no route to {way.path.destination}, so {decided.listed} refuses it", remedy)
    elif answer.kind == "local":
        yield Fault(f"{way.path.destination} is an address of this host itself", "correct the translation's target")
    else:
        reason = refusal(answer.error) if answer.error else f"the route is of type {answer.kind}"
        yield Fault(f"the kernel has no way to {way.path.destination}: {reason}", "ip rule; ip route show table all")


def _of_neighbour(way: Way, case: Case, silent: set[tuple[str, str]]) -> Iterator[Fault]:
    if way.neighbour is None or way.neighbour not in silent:
        return
    interface, address = way.neighbour
    how = "neighbour discovery" if ":" in address else "ARP"
    if way.answer.gateway is None:
        what = f"the server {address}" if case.kind == MAPPED and way.direction == IN else address
        yield Fault(f"{what} does not answer on {interface} ({how})", f"is {address} running, and connected there?")
        return
    of = f" of {case.line}" if case.line and case.line.gateway == address else ""
    remedy = f"check the device {address}, and the cable of {interface}"
    yield Fault(f"the gateway {address}{of} does not answer on {interface} ({how})", remedy)


# -------------------------------------------------------------------- connections that come in
def _of_connection(way: Way, case: Case, kernel: Kernel) -> Iterator[Fault]:
    arriving, leaving = way.path.in_interface, way.answer.interface
    if case.kind == MAPPED:
        if not _forwards(case.family, kernel):
            name = "net.ipv4.ip_forward" if case.family == 4 else "net.ipv6.conf.all.forwarding"
            yield Fault(f"this host does not forward IPv{case.family} ({name} is 0)", f"sysctl -w {name}=1")
        if arriving and leaving and way.answer.leaves:
            traffic = Traffic([arriving], [leaving], [case.mapped_to], MAPPED_STATES)
            yield from _filtered("forward", case, traffic, kernel)
    elif arriving:
        traffic = Traffic([arriving], [], [str(case.address)], frozenset(("new",)))
        yield from _filtered("input", case, traffic, kernel)
    if arriving:
        yield from _filtered_by_way_back(arriving, case, kernel)


def _is_forwarded(case: Case, kernel: Kernel) -> bool:
    """Tell whether this host forwards packets, where a case needs that."""
    return case.kind != MAPPED or _forwards(case.family, kernel)


def _forwards(family: int, kernel: Kernel) -> bool:
    path = "net/ipv4/ip_forward" if family == 4 else "net/ipv6/conf/all/forwarding"
    return kernel.parameter(path) != 0


def _filtered(hook: str, case: Case, traffic: Traffic, kernel: Kernel) -> Iterator[Fault]:
    for table, chain in _foreign_chains(case.family, kernel):
        if chain.hook == hook and possible_verdicts(table, chain, traffic) == {"drop"}:
            why = "its policy is drop" if chain.policy == "drop" else "one of its rules drops it"
            remedy = f"have that program accept it; see {_listing(table, chain)}"
            yield Fault(f"{table}, chain {chain.name}, drops it: {why}", remedy)


def _filtered_by_way_back(arriving: str, case: Case, kernel: Kernel) -> Iterator[Fault]:
    """Find rules like firewalld's that look up the way back without the connection's mark."""
    for table, chain in _foreign_chains(case.family, kernel):
        if chain.hook != "prerouting" or not any(rule.drops_without_way_back(case.family) for rule in chain.rules):
            continue
        # The packet has the server's address there once it is translated.
        late = case.kind == MAPPED and chain.priority > TRANSLATION_PRIORITY
        back = kernel.way_back(case.remote, case.mapped_to if late else str(case.address))
        if back != arriving:
            remedy = "with firewalld: IPv6_rpfilter=loose in /etc/firewalld/firewalld.conf, then restart it"
            text = f"{table}, chain {chain.name}, drops it: the way back leads by {back or 'no interface'}"
            yield Fault(f"{text}, and it arrives by {arriving}", remedy)


def _foreign_chains(family: int, kernel: Kernel) -> Iterator[tuple[Table, Chain]]:
    for table in kernel.filters:
        ours = table.tool == "nft" and (table.kind, table.name) == ("inet", kernel.nft_table)
        if family in table.families and not ours:
            for chain in table.chains.values():
                if not chain.name.lower().startswith(kernel.nft_table.lower()):
                    yield table, chain


def _listing(table: Table, chain: Chain) -> str:
    if table.tool == "nft":
        return f"nft list chain {table.kind} {table.name} {chain.name}"
    return f"{table.tool.replace('iptables', table.kind if table.kind != 'ip' else 'iptables')} -S {chain.name}"


# -------------------------------------------------------------------- replies
def _taken(found: Sequence[Explained], inside: Sequence[str], kernel: Kernel) -> dict[Reply, list[Finding]]:
    """Return the findings about the replies of all cases, by reply: the check that the keeper and preflight use."""
    replies = [reply for one in found for way in one.ways if (reply := _reply_of(way, one.case)) is not None]
    result: dict[Reply, list[Finding]] = {}
    try:
        for finding in check_replies(list(dict.fromkeys(replies)), inside, OURS):
            result.setdefault(finding.reply, []).append(finding)
    except (MultihomeError, RequestFailed) as error:
        kernel.notes.append(f"replies cannot be checked: {error}")
    return result


def _reply_of(way: Way, case: Case) -> Reply | None:
    """Return the reply that a way is; None for ways in, and where no line is known."""
    if way.direction != OUT or case.line is None or way.path.source is None:
        return None
    return case.line.reply(way.path.source, way.path.in_interface, way.path.mark)


def _of_reply(way: Way, case: Case, taken: Mapping[Reply, list[Finding]]) -> Iterator[Fault]:
    reply = _reply_of(way, case)
    if reply is None or case.line is None:
        return
    found = taken.get(reply, [])
    for finding in found:
        if finding.kind == REPLY_TAKEN or (finding.kind == REPLY_REFUSED and not way.faults):
            yield Fault(f"replies to {finding.destination}: {finding.cause}", _remedy(finding, case.family))
    answer = way.answer
    if found or not answer.leaves or answer.table in (case.line.table, MAIN_TABLE):
        return
    yield Fault(f"the reply leaves by table {answer.table}, and not by that of {case.line}", "ip rule")


def _remedy(finding: Finding, family: int) -> str:
    priority = (finding.rule or {}).get("priority")
    owner = (finding.rule or {}).get("owner")
    if priority is None or owner == fields.owner_name(OURS):
        return f"{finding.remedy}; or {_REPAIR}" if finding.remedy.startswith("redeploy") else finding.remedy
    return f"{finding.remedy}; to see it: ip -{family} rule show priority {priority}"


# -------------------------------------------------------------------- health
def _add_health(one: Explained, state: LineState | None) -> None:
    """Add how the keeper judges the line; it is the fault where nothing on this host explains it."""
    if state is None:
        return
    one.health = {
        "state": state.state,
        "reason": state.reason,
        "seconds": round(state.seconds, 1),
        "usable": state.usable,
    }
    if state.state in _CARRYING or state.state == "drained" or one.all_faults or one.case.line is None:
        return
    gateway = one.case.line.gateway
    beyond = f"beyond the gateway {gateway}" if gateway else "beyond this host"
    one.faults.append(
        Fault(
            f"{one.case.line} has been {state.state} for {age(state.seconds)} ({state.reason}), and everything on this "
            f"host is in order: the fault is {beyond}",
            "ask the ISP, or look at the firewall of the line",
        )
    )
