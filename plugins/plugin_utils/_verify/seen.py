# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""What a host outside saw of the services before and after a change. What it could not see is said, not assumed."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import TypedDict

from .._roles.module_lists import Target

_IDENTITY = ("line", "port", "protocol")


class Seen(TypedDict):
    """``lost`` are reasons not to keep a change, ``unseen`` what is not known of it."""

    lost: list[str]
    unseen: list[str]


def with_second_attempts(targets: Iterable[Target], before: object = None) -> list[Target]:
    """The targets, each with a second attempt; with a result of line_check only those that answered there.

    A service without an answer before a change would not be missed after it, and one that answered would be lost.
    """
    answered = None if before is None else _rows(before)[0]
    return [
        {**target, "attempts": 2} if answered is None or answered.get(_key(target)) else target for target in targets
    ]


def services_seen(targets: Iterable[Target], vantage: str, before: object, after: object) -> Seen:
    """Compare the result of line_check on the host ``vantage`` from before a change with that from after it."""
    asked = list(targets)
    earlier, earlier_reason = _rows(before)
    later, later_reason = _rows(after)
    if not asked:
        return {"lost": [], "unseen": []}
    lost = [target for target in asked if earlier.get(_key(target)) and not later.get(_key(target))]
    if not later:
        if earlier:
            texts = [f"{vantage} could ask before the change, and cannot after it{later_reason}"]
            return {"lost": texts if lost else [], "unseen": [] if lost else texts}
        return {"lost": [], "unseen": [f"{vantage} could not be asked{later_reason}: {_listed(asked)}"]}
    texts = [f"{vantage} had an answer before the change, and has none after it: {_listed(lost)}"] if lost else []
    silent = [target for target in asked if not later.get(_key(target)) and target not in lost]
    unseen = [f"{vantage} could not be asked before the change{earlier_reason}"] if not earlier else []
    unseen += [f"{vantage} has no answer, {_before(earlier)}: {_listed(silent)}"] if silent else []
    return {"lost": texts, "unseen": unseen}


def _before(earlier: Mapping[object, bool]) -> str:
    return "and had none before the change" if earlier else "and whether it had one before the change is not known"


def _rows(result: object) -> tuple[dict[object, bool], str]:
    """Return whether each target answered, and why there are no rows."""
    if not isinstance(result, Mapping):
        return {}, ""
    rows = result.get("rows")
    if not isinstance(rows, list):
        return {}, f" ({' '.join(str(result['msg']).split())})" if result.get("msg") else ""
    found: dict[object, bool] = {}
    for row in rows:
        # The same target may be listed twice.
        found[_key(row)] = bool(found.get(_key(row)) or row.get("ok"))
    return found, ""


def _key(target: Mapping[str, object]) -> tuple[str, ...]:
    address = str(target.get("address"))
    # Rows have it in canonical form.
    canonical = str(ipaddress.ip_address(address)) if _is_address(address) else address
    return (canonical, *(str(target.get(name)) for name in _IDENTITY))


def _port(target: Target) -> str:
    return f"port {target['port']}/{target['protocol']}"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _listed(targets: Iterable[Target]) -> str:
    return ", ".join(
        f"{target.get('name') or 'a service'} by line {target['line']} ({target['address']}, {_port(target)})"
        for target in targets
    )
