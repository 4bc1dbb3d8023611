# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The answers to a verification as one matrix of line, service and family, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from .._declaration.model import Declaration, Line, Offer, Service
from .._input.addresses import FAMILIES, family_name
from .._input.ports import PortMapping
from .._input.reading import AUTO
from .._roles.line_routing import MARK_MASK
from . import paths, replies
from . import translations as source_translations
from .targets import ports_to_verify
from .vantages import Vantages

# ansible.builtin.debug indents by eight and adds quotes and a comma: this much fits a terminal of 80 columns.
WIDEST = 68
LONGEST_NAME = 16
MOST_LISTED = 6
UP_REMEDY = "answers, though the line is in multihome_verify_expect_down: take it out of that list"

MARKS = {True: "✓", False: "✗", None: "-"}
UNKNOWN = f"{MARKS[None]} {AUTO}"
LEGEND = f"{UNKNOWN}: not asked, as only the server knows its addresses there"
INSIDE = "from inside"
INSIDE_LEGEND = f"{MARKS[None]} {INSIDE}: answers, which says nothing about the line"
INSIDE_REMEDY = "Put a host outside your network into group multihome_vantage."
NOT_ASKED = "not asked"

Row = Mapping[str, object]

# Line, service, address, protocol and port.
Key = tuple[object, ...]


class Report(TypedDict):
    """Both as lines of text."""

    matrix: list[str]
    faults: list[str]


@dataclass
class Cell:
    """The outcome for one line, service and family.

    ``good`` is None where nothing was asked, and where all answered that was asked from ``inside`` alone.
    """

    offer: Offer
    good: bool | None = None
    detail: str = ""
    wrong: list[_Answer] = field(default_factory=list)
    inside: bool = False

    @property
    def text(self) -> str:
        """The text of the cell in the matrix."""
        return f"{MARKS[self.good]} {self.detail}".rstrip()


def report(
    declaration: Declaration,
    probes: Mapping[str, object],
    taken: Mapping[str, object],
    expect_down: Sequence[str],
    mark_mask: object = MARK_MASK,
    findings: Mapping[str, object] | None = None,
    played: Sequence[str] | None = None,
    translations: Mapping[str, object] | None = None,
    taken_translations: Mapping[str, object] | None = None,
) -> Report:
    """The matrix and all faults.

    ``probes`` has the rows of line_check by vantage host, ``taken`` the rows of path_info by host; a missing row counts
    as a failure, so that a host that could not be asked never counts as a good one. ``findings`` has those of
    path_info about replies, by host. ``played`` are the hosts that --limit has left in the run; the report names the
    others, and does not count them. ``translations`` has the nat_rules of multihome_info, by host, and
    ``taken_translations`` its list of that name.
    """
    asking = sorted(vantage for vantage in probes if played is None or vantage in played)
    answers = {vantage: _by_target(probes[vantage]) for vantage in asking}
    vantages = Vantages(declaration, taken)
    cells = [
        _left_out(offer) if probes and not asking else _cell(offer, answers, offer.line.name in expect_down, vantages)
        for offer in declaration.offers()
        if offer.public
    ]
    known = declaration.line_named
    faults = [
        f'multihome_verify_expect_down: line "{name}" is not in multihome_lines'
        for name in expect_down
        if name not in known
    ]
    if not probes:
        faults.append("no vantage host asked")
    faults += _grouped(cells)
    for host in paths.hosts(declaration):
        if played is not None and host not in played:
            continue
        faults += paths.faults(declaration, host, taken.get(host), mark_mask)
        faults += replies.faults(host, (findings or {}).get(host))
    notes: list[str] = []
    for host in source_translations.hosts(declaration, expect_down):
        if played is not None and host not in played:
            continue
        faults += source_translations.faults(declaration, host, (translations or {}).get(host))
        if taken_translations is not None:
            certain, possible = source_translations.taken(host, taken_translations.get(host))
            faults, notes = faults + certain, notes + possible
    asked = [cell for cell in cells if cell.good is not None]
    good = sum(1 for cell in asked if cell.good)
    unknown = declaration.offers_unknown()
    legend = [LEGEND] if unknown else []
    if inside := sum(cell.inside for cell in cells):
        legend += [INSIDE_LEGEND, f"{inside} of {len(cells)} not seen from outside. {INSIDE_REMEDY}"]
    legend += [*_limited(declaration, probes, played, taken_translations is not None), *notes]
    return {
        "matrix": [*_matrix(cells, unknown), *legend, f"{good} of {len(asked)} as expected"],
        "faults": faults,
    }


def _limited(
    declaration: Declaration, probes: Mapping[str, object], played: Sequence[str] | None, with_translations: bool
) -> list[str]:
    """A line for each kind of question that --limit left out, with its hosts."""
    if played is None:
        return []
    asking = [vantage for vantage in sorted(probes) if vantage not in played]
    looked_up = [host for host in paths.hosts(declaration) if host not in played]
    firewalls = source_translations.hosts(declaration, ()) if with_translations else []
    not_read = [host for host in firewalls if host not in played]
    texts = {"asked no service": asking, "looked up no path": looked_up, "read no translations": not_read}
    return [f"left out by --limit, {text}: {_listed(hosts)}" for text, hosts in texts.items() if hosts]


def _matrix(cells: Sequence[Cell], unknown: Iterable[tuple[Line, Service]]) -> list[str]:
    """A row for each line and service, a column for each family. Texts that are cut here are complete in the faults."""
    families = sorted({cell.offer.family for cell in cells}) or list(FAMILIES)
    rows: dict[tuple[int, str, str], dict[int, str]] = {
        (line.id, line.name, service.name): dict.fromkeys(families, UNKNOWN) for line, service in unknown
    }
    for cell in cells:
        line, service = cell.offer.line, cell.offer.service
        rows.setdefault((line.id, line.name, service.name), {})[cell.offer.family] = cell.text
    table = [["line", "service", *map(family_name, families)]]
    table += [[*names, *(row.get(family, "") for family in families)] for (_id, *names), row in sorted(rows.items())]
    names = [min(max(map(len, column)), LONGEST_NAME) for column in list(zip(*table, strict=True))[:2]]
    room = (WIDEST - sum(names) - 4) // max(len(families), 1) - 2
    widths = [*names, *(min(max(map(len, column)), room) for column in list(zip(*table, strict=True))[2:])]
    return [
        "  ".join(_cut(word, width).ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


@dataclass(frozen=True)
class _Answer:
    """The answer of one address and port to one vantage host; ``row`` is empty where it did not ask."""

    vantage: str
    address: str
    port: PortMapping
    row: Row

    @property
    def target(self) -> str:
        """The address and port, as a fault names them."""
        return f"{self.address} {self.port}"

    @property
    def asked(self) -> bool:
        """Whether line_check has a row on it."""
        return bool(self.row)

    def is_inside(self, line: Line, vantages: Vantages) -> bool:
        """Whether it was asked from inside, so that no answer says anything about the line."""
        return vantages.is_inside(self.vantage, line, self.row.get("local_address"))

    @property
    def ok(self) -> bool:
        """Whether the service answered."""
        return self.row.get("ok") is True

    @property
    def error(self) -> str:
        """The error in a few words."""
        return str(self.row.get("error") or "no answer") if self.asked else NOT_ASKED

    @property
    def trouble(self) -> str:
        """The error of an answer, or of its absence, and the next step."""
        if self.ok:
            return UP_REMEDY
        if not self.asked:
            return "not asked: see the messages of the host above"
        return f"{self.error}: {self.row['hint']}" if self.row.get("hint") else self.error


def _by_target(rows: object) -> dict[Key, Row]:
    """The rows of line_check by target; none where the host gave no rows at all."""
    keys = ("line", "name", "address", "protocol", "port")
    return {tuple(row.get(key) for key in keys): row for row in rows} if isinstance(rows, Sequence) else {}


def _left_out(offer: Offer) -> Cell:
    """The outcome where --limit has left no vantage host."""
    return Cell(offer, detail=NOT_ASKED if ports_to_verify(offer) else "no verify_ports")


def _cell(offer: Offer, rows: Mapping[str, Mapping[Key, Row]], expected_down: bool, vantages: Vantages) -> Cell:
    """The outcome of one offer at all its targets, from all vantage hosts."""
    cell = Cell(offer)
    targets = [(str(address), port) for address in offer.public for port in ports_to_verify(offer)]
    if not targets:
        cell.detail = "no verify_ports"
        return cell
    label = (offer.line.name, offer.service.name)
    answers = [
        _Answer(vantage, address, port, found.get((*label, address, port.protocol, port.public.first), {}))
        for vantage, found in rows.items()
        for address, port in targets
    ]
    hairpins = [answer for answer in answers if answer.ok and answer.is_inside(offer.line, vantages)]
    if hairpins and len(hairpins) == len(answers):
        cell.detail, cell.inside = INSIDE, True
        return cell
    answers = [answer for answer in answers if answer not in hairpins]
    if expected_down:
        cell.wrong = [answer for answer in answers if answer.ok or not answer.asked]
        bad = "expected to be down, but answers"
        good = "down, as expected"
    else:
        cell.wrong = [answer for answer in answers if not answer.ok]
        bad = _summary(cell.wrong, set(rows))
        good = f"{max((float(str(answer.row.get('milliseconds') or 0)) for answer in answers), default=0):.1f} ms"
    cell.good = bool(answers) and not cell.wrong
    cell.detail = good if cell.good else bad
    return cell


def _summary(wrong: Sequence[_Answer], vantages: set[str]) -> str:
    """Why a cell is bad in a few words, and from where when that is not from everywhere."""
    if not wrong:
        return "no vantage host asked"
    failing = {answer.vantage for answer in wrong}
    only = "" if failing == vantages else f" (only from {', '.join(sorted(failing))})"
    return f"{wrong[0].port}: {wrong[0].error}{only}"


def _grouped(cells: Iterable[Cell]) -> list[str]:
    """The faults, each once for all targets of a line that have it."""
    groups: dict[tuple[str, str], list[_Answer]] = {}
    for cell in cells:
        for answer in cell.wrong:
            groups.setdefault((cell.offer.line.name, answer.trouble), []).append(answer)
    return [
        f"line {line}: {_listed(answer.target for answer in answers)},"
        f" from {_listed(answer.vantage for answer in answers)}: {trouble}"
        for (line, trouble), answers in groups.items()
    ]


def _listed(words: Iterable[str]) -> str:
    """Words, each once, up to a readable number."""
    each = list(dict.fromkeys(words))
    more = len(each) - MOST_LISTED
    return ", ".join(each[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
