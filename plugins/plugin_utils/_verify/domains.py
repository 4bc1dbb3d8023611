# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""What clients get for the domains, from the zone's server and from a resolver, against the lines that answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ...module_utils._core.dns.names import absolute
from .._declaration.model import Declaration
from .._dns.records import addresses

Row = Mapping[str, object]


def names(declaration: Declaration) -> list[str]:
    """The domains to look up, with the last dot, where there are zones; a wildcard cannot be looked up itself."""
    if not declaration.zones:
        return []
    return [absolute(domain) for domain in addresses(declaration.offers()) if not domain.startswith("*")]


def faults(
    declaration: Declaration,
    checks: Mapping[str, object],
    lookups: Mapping[str, object],
    rows: Mapping[str, object],
    expect_down: Sequence[str] = (),
) -> list[str]:
    """Every difference, one line each.

    ``checks`` has the results of dns_records in check mode by server, ``lookups`` those of getent, and ``rows`` those
    of line_check, by vantage host. What is false was not asked, which is reported elsewhere.
    """
    found = [fault for host, results in sorted(checks.items()) for fault in _zone_faults(host, results)]
    answering = _answering(rows)
    known = addresses(declaration.offers())
    for vantage, results in sorted(lookups.items()):
        for result in _dictionaries(results):
            domain = str(result.get("item", "")).rstrip(".")
            if domain in known:
                got = {line.split()[0] for line in str(result.get("stdout") or "").splitlines() if line.strip()}
                found += [
                    f"{domain}, as {vantage} resolves it: {fault}"
                    for fault in _domain_faults(known[domain], got, answering, expect_down)
                ]
    return found


def _zone_faults(host: str, results: object) -> list[str]:
    found = []
    for result in _dictionaries(results):
        actions = result.get("actions")
        if actions is None:
            found.append(f"{host}: {result.get('msg') or 'the zone was not read'}")
        elif actions:
            steps = [
                f"{action.get('op')} {action['object'].get('domain')} {_listed(action['object'])}"
                for action in (actions if isinstance(actions, Sequence) else ())
                if isinstance(action, Mapping) and "domain" in action.get("object", {})
            ]
            found.append(f"{host}: the zone differs from the lines in service; still to do: {'; '.join(steps)}")
    return found


def _listed(record: Mapping[str, object]) -> str:
    given = record.get("addresses")
    each = given if isinstance(given, Sequence) else ()
    return ", ".join(str(one["address"]) if isinstance(one, Mapping) else str(one) for one in each)


def _domain_faults(
    lines: Mapping[str, str], got: set[str], answering: Mapping[str, bool], expect_down: Sequence[str]
) -> list[str]:
    """The faults of one domain: ``got`` is what a client gets, ``lines`` the line of each address."""
    if not got:
        return ["no address; look whether the zone is delegated to its server, and at the server itself"]
    found = [
        f"{address} belongs to none of its lines; remove it from the zone, or wait until the answer expires"
        for address in sorted(got - set(lines))
    ]
    for address, line in lines.items():
        down = line in expect_down or not answering.get(address, True)
        if down and address in got and got & set(lines) != {address}:
            found.append(
                f"{address} of line {line} is in the answer, and does not answer; see the keeper of the servers"
            )
        elif not down and answering.get(address) and address not in got:
            found.append(f"{address} of line {line} answers, and is not in the answer; it may be in its hold time")
    return found


def _answering(rows: Mapping[str, object]) -> dict[str, bool]:
    """Whether each address answered on each port, from every vantage host."""
    found: dict[str, bool] = {}
    for given in rows.values():
        for row in _dictionaries(given):
            address = str(row.get("address"))
            found[address] = found.get(address, True) and row.get("ok") is True
    return found


def _dictionaries(value: object) -> Iterable[Row]:
    """The dictionaries of a list; none where there is no list."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, (list, tuple)) else []
