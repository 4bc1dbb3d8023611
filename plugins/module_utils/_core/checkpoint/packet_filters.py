# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Translations, marks and the forward policy of a checkpoint, read and restored by their engines."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator
from typing import Any

from ..converge import converge
from ..entries import Form
from ..filters.nftables import table_name
from ..filters.selection import available, missing
from ..forwarding.engine import ForwardEngine
from ..forwarding.model import DROP, LEAVE
from ..marks.engine import MarkEngine
from ..marks.engine import read_both as read_marks
from ..marks.engine import select as select_marks
from ..marks.model import Marks
from ..nat.engine import NatEngine
from ..nat.engine import make_backend as make_nat_backend
from ..routing.model import Neighbour
from ..routing.neighbours import Gateway, Resolution
from .attempts import attempted

_EMPTY: Form = {
    "nat": {"backend": "auto", "rules": []},
    "marks": {"backend": "auto", **Marks().as_input(), "neighbours": []},
    "forward": {"backend": "auto", "policy": LEAVE, "accept": []},
}


def capture(table: str) -> Form:
    """Return the collection's own objects in a table, as plain data; raises MultihomeError.

    A host without any packet filter has none.
    """
    if _no_filter():
        return dict(_EMPTY)
    return {"nat": _nat(table), "marks": _marks(table), "forward": _forward(table)}


def restore(table: str, captured: Form) -> list[str]:
    """Restore the objects of a table; return what could not be restored."""
    if _no_filter():
        return [] if captured == _EMPTY else [f"table {table}: this host has no nft and no iptables any more"]
    failures: list[str] = []
    # What accepts comes before what drops, as when they were made: NAT, then marks, then the policy.
    for part in (_restore_nat, _restore_marks, _restore_forward):
        failures += attempted(functools.partial(part, table, captured))
    return failures


def differences(table: str, captured: Form) -> list[str]:
    """Return the kinds of objects that are not as recorded."""
    now = capture(table)
    return [f"not restored: {kind} in table {table}" for kind in captured if _of(now, kind) != _of(captured, kind)]


def _of(captured: Form, kind: str) -> Form:
    # By which of both filters something empty is kept says nothing.
    return {name: value for name, value in captured[kind].items() if name != "backend" or _is_set(captured[kind])}


def _is_set(form: Form) -> bool:
    return any(form.get(name) for name in ("rules", "marks", "balance", "accept", "mss")) or form.get("policy") == DROP


def _no_filter() -> bool:
    return missing("nftables") is not None and missing("iptables") is not None


def _nat(table: str) -> Form:
    states = [(backend.name, backend.read()) for backend in available(table_name(table), make_nat_backend)]
    rules = [(name, rule.as_input()) for name, state in states for rule, _position in state.rules()]
    return {"backend": rules[0][0] if rules else "auto", "rules": [rule for _name, rule in rules]}


def _restore_nat(table: str, captured: Form) -> list[str]:
    form = captured["nat"]
    converge(NatEngine(form["rules"], table, True, form["backend"]), False, contextlib.nullcontext)
    return []


def _marks(table: str) -> Form:
    selection = select_marks("auto", table)
    found = read_marks(selection)
    elsewhere = found.elsewhere.marks if found.elsewhere else Marks()
    name, marks = selection.name, found.here.marks
    if not marks and elsewhere:
        name, marks = "iptables" if name == "nftables" else "nftables", elsewhere
    places = [(mark.key[0], mark.key[1], mark.neighbour) for mark in marks.marks if mark.gateway]
    neighbours = [[gateway, on, found.interface, found.address] for gateway, on, found in places if found]
    return {"backend": name, **marks.as_input(), "neighbours": neighbours}


def _restore_marks(table: str, captured: Form) -> list[str]:
    form = dict(captured["marks"])
    # The gateways are where they were: nobody has to be asked.
    known = {(gateway, on): Neighbour(found, address) for gateway, on, found, address in form.pop("neighbours")}

    def find(gateways: Iterable[Gateway]) -> Resolution:
        asked = list(gateways)
        unknown = {gateway: "it was unknown before" for gateway in asked if gateway not in known}
        return Resolution({gateway: known[gateway] for gateway in asked if gateway in known}, unknown)

    engine = MarkEngine(select_marks(form.pop("backend"), table), purge=True, find=find, **form)
    converge(engine, False, contextlib.nullcontext)
    return []


def _forward(table: str) -> Form:
    engine = ForwardEngine(LEAVE, [], table)
    current = engine.read()
    form: dict[str, Any] = dict(engine.before(engine.plan(current)))
    places = {backend.place: backend.name for backend in engine.backends}
    holding = [places[place] for place, state in current.items() if _acts(state.forwarding)]
    return {"backend": holding[0] if holding else "auto", **form}


def _acts(forwarding: Any) -> bool:
    return forwarding is not None and (forwarding.policy == DROP or bool(forwarding.clamps))


def _restore_forward(table: str, captured: Form) -> list[str]:
    form = captured["forward"]
    engine = ForwardEngine(form["policy"], form["accept"], table, True, form["backend"], mss=form.get("mss") or [])
    converge(engine, False, contextlib.nullcontext)
    return []


def tables_of(texts: Iterable[Form]) -> Iterator[str]:
    """Return the tables that stored states name."""
    return (str(text["table"]) for text in texts if isinstance(text.get("table"), str))
