# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the declaration to record sets."""

from __future__ import annotations

from typing import Any

from ansible_collections.multihome.linux.tests.unit.filter import declarations
from ansible_collections.multihome.linux.tests.unit.filter.derived import FILTERS

ZONE = {"zone": "svc.example.com", "primary": "192.0.2.53", "key": {"name": "web", "secret": "c2VjcmV0"}}
DOMAIN = "www.svc.example.com"


def declared(domain: str = DOMAIN, **more: Any) -> dict[str, Any]:
    """The seed's declaration with a domain."""
    declaration = declarations.seed()
    declaration["services"][0]["domain"] = domain
    return {**declaration, **more}


def faults(declaration: dict[str, Any]) -> list[str]:
    found: list[str] = FILTERS["declaration_faults"](declaration)
    return found


def test_a_domain_has_all_public_addresses_with_their_lines() -> None:
    (zone,) = FILTERS["dns_zones"](declared(zones=[ZONE]), "web1")
    offers = FILTERS["line_check_targets"](declared())
    listed = {(each["address"], each["line"]) for each in zone["records"][0]["addresses"]}
    assert listed == {(offer["address"], offer["line"]) for offer in offers}
    assert zone["records"][0]["ttl"] == 60
    assert zone["publisher"] == ""
    assert {source["line"] for source in zone["sources"]} == {line for _address, line in listed}
    # Only servers publish.
    assert FILTERS["dns_zones"](declared(zones=[ZONE]), "fw-a") == []


def test_servers_that_share_a_domain_publish_it_with_a_lease() -> None:
    declaration = declared(zones=[{**ZONE, "ttl": 30, "empty_family": "drop"}])
    second = {**declaration["servers"][0], "name": "web2"}
    second["addresses"] = {
        line: [str(address).replace("168.1/", "168.51/").replace("168.2/", "168.52/") for address in own]
        for line, own in second["addresses"].items()
    }
    second["addresses"] = {
        line: [address for address in own if ":" not in address] for line, own in second["addresses"].items()
    }
    declaration["servers"].append(second)
    service = {**declaration["services"][0], "name": "web-2", "server": "web2", "ports": ["8443/tcp"]}
    declaration["services"].append({key: value for key, value in service.items() if key != "verify_ports"})
    assert faults(declaration) == []
    for host in ("web1", "web2"):
        (zone,) = FILTERS["dns_zones"](declaration, host)
        assert (zone["publisher"], zone["empty_family"], zone["records"][0]["ttl"]) == (host, "drop", 30)


def test_a_domain_in_no_zone_is_a_fault_and_all_are_reported_at_once() -> None:
    assert faults(declared(zones=[ZONE])) == []
    assert faults(declared("www.example.org")) == []
    found = faults(declared("www.example.org", zones=[ZONE, {"zone": "x", "publish": "by hand", "primary": []}]))
    assert len(found) == 3
    assert "is in no zone of multihome_zones" in found[0]
    assert "is in no zone" in faults(declared("wwwsvc.example.com", zones=[ZONE]))[0]


def test_no_fault_shows_a_secret() -> None:
    found = faults(declared(zones=[{**ZONE, "key": {"name": "web", "secret": "secret!"}}]))
    assert len(found) == 1
    assert "secret!" not in found[0]


def test_without_a_zone_the_records_are_printed_as_a_zone_file() -> None:
    rows = FILTERS["dns_zone_file"](declared())
    assert len(rows) == len(FILTERS["dns_zones"](declared(zones=[ZONE]), "web1")[0]["records"][0]["addresses"])
    for row in rows:
        name, ttl, kind, record_type, address, *comment = row.split()
        assert (name, ttl, kind, comment[0]) == (f"{DOMAIN}.", "60", "IN", ";")
        assert record_type == ("AAAA" if ":" in address else "A")
    assert FILTERS["dns_zone_file"](declared(zones=[ZONE]), True) == []
    assert FILTERS["dns_zone_file"](declared(), True) == rows


def verified(got: list[str], checks: list[dict[str, Any]] | None = None, down: str = "", dead: str = "") -> list[str]:
    """The faults of what a client gets; the line ``dead`` does not answer."""
    declaration = declared(zones=[ZONE])
    targets = FILTERS["line_check_targets"](declaration)
    rows = [{**target, "ok": target["line"] != dead} for target in targets]
    text = "".join(f"{address}  STREAM www\n{address}  DGRAM\n" for address in got)
    lookups = {"client1": [{"item": f"{DOMAIN}.", "stdout": text}]}
    given = {"web1": checks or [{"actions": []}]}
    found: list[str] = FILTERS["verify_domain_faults"](
        declaration, given, lookups, {"client1": rows}, [down] if down else []
    )
    return found


def every() -> list[str]:
    """All public addresses."""
    return [target["address"] for target in FILTERS["line_check_targets"](declared())]


def test_a_client_gets_exactly_the_lines_that_answer() -> None:
    assert FILTERS["verify_domains"](declared(zones=[ZONE])) == [f"{DOMAIN}."]
    assert FILTERS["verify_domains"](declared()) == []
    assert verified(every()) == []
    lines = {target["address"]: target["line"] for target in FILTERS["line_check_targets"](declared())}
    dead = next(iter(lines.values()))
    living = [address for address in every() if lines[address] != dead]
    assert verified(living, dead=dead) == []
    assert verified(living, down=dead, dead=dead) == []


def test_each_difference_is_a_fault() -> None:
    lines = {target["address"]: target["line"] for target in FILTERS["line_check_targets"](declared())}
    address, line = next(iter(lines.items()))
    assert "does not answer" in "\n".join(verified(every(), dead=line))
    assert any("is not in the answer" in fault for fault in verified([each for each in every() if each != address]))
    assert "belongs to none of its lines" in "\n".join(verified([*every(), "192.0.2.99"]))
    assert "no address" in verified([])[0]
    differs = [{"actions": [{"op": "replace", "object": {"domain": DOMAIN, "addresses": ["203.0.113.10"]}}]}]
    assert verified(every(), differs) == [
        f"web1: the zone differs from the lines in service; still to do: replace {DOMAIN} 203.0.113.10"
    ]
    assert verified(every(), [{"msg": "192.0.2.53: no answer in time"}]) == ["web1: 192.0.2.53: no answer in time"]
