# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or go without notice.

"""What to ask to verify a deployment, and the answers as one matrix of line, service and family."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import _verify_paths
from ._addresses import FAMILIES, family_name
from ._declaration import Declaration, Line, Offer, Service
from ._ports import PortMapping, PortRange
from ._reading import AUTO
from ._routing import MARK_MASK

# ansible.builtin.debug indents by eight and adds quotes and a comma: this much fits a terminal of 80 columns.
WIDEST = 68
LONGEST_NAME = 16
MOST_LISTED = 6
UP_REMEDY = "answers, though the line is in multihome_verify_expect_down: take it out of that list"


MARKS = {True: "✓", False: "✗", None: "-"}
UNKNOWN = f"{MARKS[None]} {AUTO}"
LEGEND = f"{UNKNOWN}: not asked, as only the server knows its addresses there"

Target = tuple[object, ...]


@dataclass
class Cell:
    """The outcome for one line, service and family. ``good`` is None where nothing was asked."""

    offer: Offer
    good: bool | None = None
    detail: str = ""
    wrong: list[_Answer] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What the matrix shows."""
        return f"{MARKS[self.good]} {self.detail}".rstrip()


def targets(declaration: Declaration, timeout: float) -> list[dict[str, Any]]:
    """The targets of line_check: each offer at each of its public addresses and each port to verify."""
    return [
        {
            "name": offer.service.name,
            "line": offer.line.name,
            "address": str(address),
            "port": port.public.first,
            "protocol": port.protocol,
            "timeout": timeout,
        }
        for offer in declaration.offers()
        for address in offer.public
        for port in ports_to_verify(offer)
    ]


def ports_to_verify(offer: Offer) -> list[PortMapping]:
    """The ports that the service names for it, else the first of each of its tcp entries.

    Whatever listens on a tcp port answers a connection, but only some services answer a datagram that they do not
    know, and sctp is not asked at all.
    """
    if offer.service.verify_ports is not None:
        return sorted(offer.service.verify_ports)
    first = [PortRange(port.public.first, port.public.first) for port in offer.service.ports if port.protocol == "tcp"]
    return [PortMapping("tcp", port, port) for port in sorted(first)]


def report(
    declaration: Declaration,
    probes: Mapping[str, Any],
    taken: Mapping[str, Any],
    expect_down: Sequence[str],
    mark_mask: object = MARK_MASK,
) -> dict[str, Any]:
    """The matrix and all that is wrong, as lists of lines of text.

    ``probes`` has the rows of line_check by vantage host, ``taken`` the rows of path_info by host; whatever is not
    in there counts as a failure, so that a host which could not be asked is never taken for a good one.
    """
    answers = {vantage: _by_target(rows) for vantage, rows in sorted(probes.items())}
    cells = [_cell(offer, answers, offer.line.name in expect_down) for offer in declaration.offers()]
    known = declaration.line_named
    faults = [
        f'multihome_verify_expect_down: line "{name}" is not in multihome_lines'
        for name in expect_down
        if name not in known
    ]
    if not probes:
        faults.append("no vantage host asked")
    faults += _grouped(cells)
    for host in _verify_paths.hosts(declaration):
        faults += _verify_paths.faults(declaration, host, taken.get(host), mark_mask)
    asked = [cell for cell in cells if cell.good is not None]
    good = sum(1 for cell in asked if cell.good)
    unknown = declaration.offers_unknown()
    legend = [LEGEND] if unknown else []
    return {
        "matrix": [*_matrix(cells, unknown), *legend, f"{good} of {len(asked)} as they should be"],
        "faults": faults,
    }


def _matrix(cells: Sequence[Cell], unknown: Iterable[tuple[Line, Service]]) -> list[str]:
    """A row for each line and service, a column for each family. What is cut off here stands whole in the faults."""
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
    """What one vantage host got from one address and port; ``row`` is empty where it did not ask."""

    vantage: str
    address: str
    port: PortMapping
    row: Mapping[str, Any]

    @property
    def target(self) -> str:
        """What was asked, as a fault names it."""
        return f"{self.address} {self.port}"

    @property
    def asked(self) -> bool:
        """Whether line_check has a row on it."""
        return bool(self.row)

    @property
    def ok(self) -> bool:
        """Whether the service answered."""
        return self.row.get("ok") is True

    @property
    def error(self) -> str:
        """What went wrong, in a few words."""
        return str(self.row.get("error") or "no answer") if self.asked else "not asked"

    @property
    def trouble(self) -> str:
        """What is wrong with an answer, or with its absence, and what to do next."""
        if self.ok:
            return UP_REMEDY
        if not self.asked:
            return "not asked: see what the host says above"
        return f"{self.error}: {self.row['hint']}" if self.row.get("hint") else self.error


def _by_target(rows: object) -> dict[Target, Mapping[str, Any]]:
    """The rows of line_check by what was asked; none where the host gave no rows at all."""
    keys = ("line", "name", "address", "protocol", "port")
    return {tuple(row.get(key) for key in keys): row for row in rows} if isinstance(rows, Sequence) else {}


def _cell(offer: Offer, rows: Mapping[str, Mapping[Target, Mapping[str, Any]]], expected_down: bool) -> Cell:
    cell = Cell(offer)
    wanted = [(str(address), port) for address in offer.public for port in ports_to_verify(offer)]
    if not wanted:
        cell.detail = "no verify_ports"
        return cell
    label = (offer.line.name, offer.service.name)
    answers = [
        _Answer(vantage, address, port, found.get((*label, address, port.protocol, port.public.first), {}))
        for vantage, found in rows.items()
        for address, port in wanted
    ]
    if expected_down:
        cell.wrong = [answer for answer in answers if answer.ok or not answer.asked]
        bad = "expected to be down, but answers"
        good = "down, as expected"
    else:
        cell.wrong = [answer for answer in answers if not answer.ok]
        bad = _summary(cell.wrong, set(rows))
        good = f"{max((float(answer.row.get('milliseconds') or 0) for answer in answers), default=0):.1f} ms"
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
    """What went wrong, once for all that it happened to on a line."""
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
    """Words, each once, as far as anybody would read them."""
    each = list(dict.fromkeys(words))
    more = len(each) - MOST_LISTED
    return ", ".join(each[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
