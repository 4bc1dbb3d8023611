# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways of a case: each packet as it passes this host, and the kernel's answer about it. Faults are in causes.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ... import fields
from ...fields import IP_PROTOCOLS
from ...nat.conntrack import End, Flow
from ...nat.conntrack_match import matches, moved
from ...nat.model import NatRule
from ...routing.route_lookup import Path
from ...routing.rule_walk import ANY_TRAFFIC, Traffic
from ..lines import LineWay
from .kernel import Answer, Kernel
from .question import LOCAL, MAPPED, OUTGOING, Case

IN, OUT = "in", "out"


@dataclass(frozen=True)
class Fault:
    """A cause why packets are lost, and the remedy."""

    text: str
    remedy: str = ""


@dataclass
class Way:
    """A packet in one direction. ``before`` are steps until it is routed, ``after`` those that follow: name and text.

    ``neighbour`` is who gets it next on the link: interface and address.
    """

    direction: str
    path: Path
    packet: str
    answer: Answer
    before: list[tuple[str, str]] = field(default_factory=list)
    after: list[tuple[str, str]] = field(default_factory=list)
    neighbour: tuple[str, str] | None = None
    faults: list[Fault] = field(default_factory=list)


@dataclass
class Explained:
    """A case with its ways; ``faults`` are those of the line itself, ``health`` its state as the keeper judges it."""

    case: Case
    ways: list[Way]
    faults: list[Fault] = field(default_factory=list)
    health: Mapping[str, Any] | None = None

    @property
    def all_faults(self) -> list[Fault]:
        """The faults of the line and of both ways, each once."""
        return list(dict.fromkeys([*self.faults, *(fault for way in self.ways for fault in way.faults)]))


def explained(case: Case, kernel: Kernel) -> Explained:
    """Ask the kernel about all ways of a case."""
    if case.kind == OUTGOING:
        return Explained(case, _outgoing(case, kernel))
    if case.address is None:
        return Explained(case, [])
    arriving = _arriving(case, kernel)
    way_in = _way_in(case, arriving, kernel)
    inside = way_in.answer.interface if case.kind == MAPPED else None
    if case.kind == MAPPED and not way_in.answer.leaves:
        # The reply's own way can be asked for all the same, from where the server is.
        inside = kernel.ask(Path(case.mapped_to)).interface
    return Explained(case, [way_in, _way_back(case, inside, arriving, kernel)])


def connection_mark(case: Case, kernel: Kernel) -> tuple[int, int] | None:
    """Return the mark that connections of the case get, as mark and mask; None without any."""
    if case.line is None or case.line.mark is None:
        return None
    mark = case.line.mark[0]
    return (mark, kernel.mask) if any(each.mark == mark for each in kernel.marks) else None


def _arriving(case: Case, kernel: Kernel) -> str | None:
    """Return the interface that packets for a case arrive by."""
    if case.line is not None and case.line.interface in kernel.indexes:
        return case.line.interface
    owned = kernel.addresses.get(str(case.address))
    if owned is not None:
        return owned[0]
    return kernel.ask(Path(case.remote)).interface


def _way_in(case: Case, arriving: str | None, kernel: Kernel) -> Way:
    path = Path(case.mapped_to, case.remote, None, arriving, _traffic(case, request=True))
    way = Way(IN, path, f"{case.remote} > {case.address}{_ports(case)}", kernel.ask(path))
    way.before.append(("arrives", f"by {arriving or 'an unknown interface'}"))
    mark = connection_mark(case, kernel)
    if mark is not None and case.line is not None:
        known = next(each for each in kernel.marks if each.mark == mark[0])
        way.before.append(("mark", f"the connection gets 0x{mark[0]:x}: {known.match_text()}"))
    if case.rule is not None:
        port = f" port {case.mapped_port}" if case.mapped_port is not None else ""
        if case.missing:
            way.before.append(("NAT", f"should go to {case.mapped_to}{port}, but is not configured"))
        else:
            count = next((number for rule, number in kernel.translations if rule.key == case.rule.key), 0)
            connections = "connection" if count == 1 else "connections"
            way.before.append(("NAT", f"to {case.mapped_to}{port} ({count} {connections} so far)"))
    if way.answer.leaves and way.answer.interface:
        way.neighbour = (way.answer.interface, way.answer.gateway or case.mapped_to)
        changed = _source_translation(kernel, case, case.remote, case.mapped_to, way.answer.interface)
        if changed is not None:
            way.after.append(("NAT", f"source becomes {_result(changed, case.remote)}"))
    return way


def _way_back(case: Case, inside: str | None, arriving: str | None, kernel: Kernel) -> Way:
    mark = connection_mark(case, kernel)
    path = Path(case.remote, case.mapped_to, mark, inside, _traffic(case, request=False))
    way = Way(OUT, path, f"{case.mapped_to} > {case.remote}", kernel.ask(path))
    way.before.append(("comes", f"from {inside}" if inside else "from this host itself"))
    if mark is not None:
        way.before.append(("mark", f"the reply gets 0x{mark[0]:x} of its connection"))
    _leaves(way, case)
    if case.kind == MAPPED and way.answer.leaves:
        way.after.append(("NAT", f"source is {case.address} again"))
    elif case.kind == LOCAL and arriving and way.answer.leaves and way.answer.interface != arriving:
        way.after.append(("note", f"the request arrived by {arriving}"))
    return way


def _outgoing(case: Case, kernel: Kernel) -> list[Way]:
    path = Path(case.remote, case.address)
    way = Way(OUT, path, f"{case.address or 'this host'} > {case.remote}", kernel.ask(path))
    _leaves(way, case)
    ways = [way]
    source = case.address or way.answer.source
    if case.address is None and way.answer.leaves and source:
        way.after.append(("source", f"this host chooses {source}"))
        again = Path(case.remote, source)
        bound = kernel.ask(again)
        chosen = (bound.table, bound.gateway, bound.interface)
        if chosen != (way.answer.table, way.answer.gateway, way.answer.interface):
            # A connection looks its route up once more with the address that the first look-up chose.
            second = Way(OUT, again, f"{source} > {case.remote}", bound)
            second.before.append(("again", "a connection looks up its route once more, with the chosen source"))
            _leaves(second, case)
            ways.append(second)
    last = ways[-1]
    if last.answer.leaves and source and last.answer.interface:
        changed = _source_translation(kernel, case, source, case.remote, last.answer.interface)
        if changed is not None:
            last.after.append(("NAT", f"source becomes {_result(changed, source)}"))
    return ways


def _traffic(case: Case, request: bool) -> Traffic:
    """Return what rules by protocol and port see of a case, after destinations were translated."""
    number = IP_PROTOCOLS.get(case.protocol or "")
    if number is None or case.mapped_port is None:
        return ANY_TRAFFIC
    if request:
        return Traffic(number, None, case.mapped_port)
    return Traffic(number, case.mapped_port, None)


def _leaves(way: Way, case: Case) -> None:
    if way.answer.leaves and way.answer.interface:
        way.neighbour = (way.answer.interface, way.answer.gateway or case.remote)


def _source_translation(kernel: Kernel, case: Case, source: str, destination: str, leaving: str) -> NatRule | None:
    """Return the translation of sources that the first packet of a connection meets; None without any."""
    end = End(source, destination, None, case.mapped_port)
    flow = Flow(case.family, case.protocol or "tcp", end, end, 0)
    for rule, _count in kernel.translations:
        if rule.type not in ("snat", "masquerade", "exempt") or rule.in_interface is not None:
            continue
        if rule.out_interface in (None, leaving) and matches(rule, flow, end):
            return None if rule.type == "exempt" else rule
    return None


def _result(rule: NatRule, source: str) -> str:
    label = f" ({rule.name})" if rule.name else ""
    return ("the address of the interface" if rule.type == "masquerade" else moved(rule, source)) + label


def _ports(case: Case) -> str:
    return f", {case.protocol} port {case.port}" if case.protocol and case.port is not None else ""


def title(case: Case) -> str:
    """Return what a case is about."""
    line = f" by {case.line}" if case.line else ""
    family = f"IPv{case.family}{line}"
    if case.kind == MAPPED and case.rule is not None:
        return f"{family}: {case.rule.name or 'translation'}, {case.address}{_ports(case)}"
    if case.kind == LOCAL:
        return f"{family}: {case.address or 'no address'}{_ports(case)}"
    source = f"from {case.address}" if case.address else "from this host"
    return f"IPv{case.family} to {case.remote} {source}{line}"


def as_result(one: Explained, kernel: Kernel) -> dict[str, Any]:
    """Return a case for programs."""
    return {
        "title": title(one.case),
        "family": f"ipv{one.case.family}",
        "line": one.case.line.name if one.case.line else None,
        "health": one.health,
        "ways": [_way_result(way, kernel) for way in one.ways],
        "faults": [{"text": fault.text, "remedy": fault.remedy} for fault in one.all_faults],
    }


def _way_result(way: Way, kernel: Kernel) -> dict[str, Any]:
    answer = way.answer
    return {
        "direction": way.direction,
        "packet": {
            "source": way.path.source,
            "destination": way.path.destination,
            "mark": way.path.mark and fields.mark_text(way.path.mark),
            "in_interface": way.path.in_interface,
        },
        "before": [{"step": name, "text": text} for name, text in way.before],
        "rules": [looked.as_result(kernel.names) for looked in answer.looked],
        "answer": {
            "type": answer.kind,
            "table": answer.table,
            "gateway": answer.gateway,
            "interface": answer.interface,
            "source": answer.source,
        },
        "after": [{"step": name, "text": text} for name, text in way.after],
        "faults": [{"text": fault.text, "remedy": fault.remedy} for fault in way.faults],
    }


__all__ = ["IN", "OUT", "Explained", "Fault", "LineWay", "Way", "as_result", "connection_mark", "explained", "title"]
