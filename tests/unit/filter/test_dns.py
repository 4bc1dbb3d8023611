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


def assigned(**more: Any) -> dict[str, Any]:
    """The seed's declaration with a second line whose ISP assigns the addresses."""
    declaration = declared(**{"zones": [ZONE], **more})
    declaration["lines"][1].update(public_addresses="auto", gateway="auto", interface="ppp0")
    return declaration


def test_a_firewall_publishes_the_addresses_that_only_it_knows_under_a_name_that_the_server_follows() -> None:
    declaration = assigned()
    assert faults(declaration) == []
    (zone,) = FILTERS["dns_zones"](declaration, "fw-b")
    (name,) = FILTERS["dns_line_names"](declaration, "fw-b")
    assert name == "line-2.svc.example.com"
    references = [{"address": f"auto:ppp0:ipv{family}"} for family in (4, 6)]
    assert zone["records"] == [{"domain": name, "addresses": references, "ttl": 60}]
    assert (zone["publisher"], zone["sources"], zone["key_secret"]) == ("", [], "c2VjcmV0")
    (zone,) = FILTERS["dns_zones"](declaration, "web1")
    # The server has only an IPv4 address on the line, whatever the ISP assigns.
    assert {"address": name, "line": "interlink", "family": "ipv4"} in zone["records"][0]["addresses"]
    assert [each for each in zone["records"][0]["addresses"] if each["line"] == "interlink"][1:] == []
    # Control: with fixed addresses there is no such name, and the firewall publishes nothing.
    assert FILTERS["dns_line_names"](declared(zones=[ZONE]), "fw-b") == []
    assert FILTERS["dns_zones"](declared(zones=[ZONE]), "fw-b") == []


def test_a_server_on_which_such_a_line_ends_refers_to_its_own_interface() -> None:
    declaration = assigned()
    for key in ("firewall", "inside_addresses"):
        del declaration["lines"][1][key]
    declaration["servers"][0]["addresses"]["interlink"] = "auto"
    assert faults(declaration) == []
    (zone,) = FILTERS["dns_zones"](declaration, "web1")
    listed = [each for each in zone["records"][0]["addresses"] if each["line"] == "interlink"]
    assert listed == [
        {"address": "auto:ppp0:ipv4", "line": "interlink"},
        {"address": "auto:ppp0:ipv6", "line": "interlink"},
    ]
    # Updates leave by this line too: the other one may be dead.
    assert {"address": "auto:ppp0:ipv4", "line": "interlink"} in zone["sources"]
    assert FILTERS["dns_line_names"](declaration, "web1") == []


def test_a_domain_may_not_be_the_name_of_a_line_with_assigned_addresses() -> None:
    declaration = assigned()
    declaration["services"][0]["domain"] = "Line-2.svc.example.com"
    (fault,) = faults(declaration)
    assert "is the name that the addresses of line" in fault
    declaration["lines"][1].update(public_addresses=["198.51.100.20/24"])
    assert faults(declaration) == []


def test_verify_takes_the_addresses_that_the_hosts_have_now() -> None:
    declaration = assigned()
    assert FILTERS["assigning_hosts"](declaration) == ["fw-b"]
    assert FILTERS["assigning_hosts"](declared()) == []
    found = {"ppp0": {"addresses": ["198.51.100.77/32"], "gateways": ["10.64.0.1"], "without_gateway": []}}
    bound = FILTERS["with_assigned"](declaration, {"fw-b": found})
    asked = {(each["line"], each["address"]) for each in FILTERS["line_check_targets"](bound)}
    assert ("interlink", "198.51.100.77") in asked
    assert faults(bound) == []
    # A client gets the address of now, and one of yesterday is a fault.
    rows = [{**target, "ok": True} for target in FILTERS["line_check_targets"](bound)]
    for got, wrong in (("198.51.100.77", 0), ("198.51.100.76", 2)):
        stdout = "".join(f"{each}  STREAM www\n" for each in ("203.0.113.10", "2001:db8:a::10", got))
        lookups = {"client1": [{"item": f"{DOMAIN}.", "stdout": stdout}]}
        assert len(FILTERS["verify_domain_faults"](bound, {}, lookups, {"client1": rows})) == wrong
    # Control: without an answer, and without an address, nothing is asked by the line.
    nothing: list[dict[str, Any]] = [{}, {"fw-b": False}, {"fw-b": {"ppp0": {"addresses": [], "gateways": []}}}]
    for unknown in nothing:
        lines = {each["line"] for each in FILTERS["line_check_targets"](FILTERS["with_assigned"](declaration, unknown))}
        assert lines == {"unicom"}


def test_one_address_that_cannot_be_does_not_hide_the_others() -> None:
    declaration = assigned()
    declaration["lines"][0].update(public_addresses="auto", gateway="auto")
    found = {"addresses": ["198.51.100.77/32"], "gateways": []}
    # Two lines with one address, as behind two routers that have the same idea of a network.
    bound = FILTERS["with_assigned"](declaration, {"fw-a": {"wan0": found}, "fw-b": {"ppp0": found}})
    assert {each["line"] for each in FILTERS["line_check_targets"](bound)} == {"unicom"}
    assert bound["lines"][1]["public_addresses"] == "auto"


def test_a_name_server_on_a_line_names_the_assigned_addresses_that_it_does_not_know() -> None:
    nameservers = {**ON_LINES, "nameservers": {"unicom": "ns-a"}, "secondaries": []}
    declaration = assigned(zones=[nameservers])
    assert faults(declaration) == []
    rows = "\n".join(FILTERS["dns_delegation"](declaration))
    assert "line interlink: only fw-b knows its address, not the name server of fw-a" in rows
    assert "only fw-b" not in "\n".join(FILTERS["dns_delegation"](declared(zones=[nameservers])))
    (zone,) = FILTERS["dns_zones"](declaration, "fw-a")
    assert {each["line"] for each in zone["records"][0]["addresses"]} == {"unicom"}
    assert FILTERS["isp_firewall_other_lines"](declaration, "fw-a") == []


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


ON_LINES = {
    "zone": "svc.example.com",
    "publish": "nameservers",
    "key": ZONE["key"],
    "nameservers": {"unicom": "ns-a", "interlink": "ns-b"},
}


def test_each_firewall_serves_the_zone_and_feeds_its_own_server() -> None:
    declaration = declared(zones=[ON_LINES])
    assert faults(declaration) == []
    lines = {line["name"]: line for line in declaration["lines"]}
    for host, line in (("fw-a", "unicom"), ("fw-b", "interlink")):
        options = FILTERS["dns_name_server"](declaration, host)
        own = [address.partition("/")[0].lower() for address in lines[line]["public_addresses"]]
        assert options["listen"] == own
        assert options["key_secrets"] == {"web": "c2VjcmV0"}
        (zone,) = options["zones"]
        assert [each["name"] for each in zone["nameservers"]] == ["ns-a.svc.example.com", "ns-b.svc.example.com"]
        (published,) = FILTERS["dns_zones"](declaration, host)
        assert (published["servers"], published["port"], published["publisher"]) == (["127.0.0.1"], 5305, "")
        # The server answers with the same before its keeper publishes.
        assert published["records"] == zone["records"]
        assert {each["line"] for each in published["records"][0]["addresses"]} == set(lines)
    assert FILTERS["dns_zones"](declaration, "web1") == []
    assert FILTERS["dns_name_server"](declaration, "web1")["zones"] == []


def test_a_firewall_judges_the_lines_of_the_others_over_the_internet() -> None:
    declaration = declared(zones=[ON_LINES])
    (other,) = FILTERS["isp_firewall_other_lines"](declaration, "fw-a")
    public = {
        line["name"]: [each.partition("/")[0] for each in line["public_addresses"]] for line in declaration["lines"]
    }
    assert other["name"] == "interlink"
    assert {target["dns"] for target in other["health"]["targets"]} == set(public["interlink"])
    assert set(other["addresses"]) <= set(public["unicom"])
    # Its flows carry the firewall's own address, and belong to its own line.
    assert other["flows"] == "keep"
    own = FILTERS["isp_firewall_lines"](declaration, "fw-a")
    watched = FILTERS["isp_firewall_line_health"](own, 0xFF, [other])
    assert [line["name"] for line in watched] == ["unicom", "interlink"]
    # Control: without such a zone nothing is watched that asks for nothing.
    assert FILTERS["isp_firewall_other_lines"](declared(zones=[ZONE]), "fw-a") == []
    assert FILTERS["isp_firewall_line_health"](own, 0xFF, []) == []


def test_the_delegation_has_its_glue_and_the_name_server_elsewhere() -> None:
    elsewhere = [{"name": "ns.example.net", "addresses": ["192.0.2.54"]}]
    declaration = declared(zones=[{**ON_LINES, "secondaries": elsewhere}])
    rows = [row.split() for row in FILTERS["dns_delegation"](declaration)]
    servers = [row[4] for row in rows if row[3] == "NS"]
    assert servers == ["ns-a.svc.example.com.", "ns-b.svc.example.com.", "ns.example.net."]
    glue = {(row[0], row[4]) for row in rows if row[3] in ("A", "AAAA")}
    lines = {line["name"]: line for line in declaration["lines"]}
    assert glue == {
        (f"{name}.svc.example.com.", address.partition("/")[0].lower())
        for line, name in ON_LINES["nameservers"].items()  # type: ignore[attr-defined]  # a dictionary of several types
        for address in lines[line]["public_addresses"]
    }
    assert FILTERS["isp_firewall_zones_on_lines_only"](declaration, "fw-a") == []
    assert FILTERS["isp_firewall_zones_on_lines_only"](declared(zones=[ON_LINES]), "fw-a") == ["svc.example.com"]
    assert FILTERS["dns_delegation"](declared(zones=[ZONE])) == []


def test_faults_of_name_servers_are_reported_at_once() -> None:
    wrong = {**ON_LINES, "primary": "192.0.2.53", "nameservers": {"unicon": "ns-a", "interlink": "ns.example.net"}}
    del wrong["key"]
    found = "\n".join(faults(declared(zones=[wrong])))
    assert '"primary" is for publish: update' in found
    assert '"key" is needed with publish: nameservers' in found
    assert 'line "unicon" is not in multihome_lines' in found
    assert "ns.example.net is not in the zone svc.example.com" in found
    (fault,) = faults(declared(zones=[{key: value for key, value in ZONE.items() if key != "primary"}]))
    assert '"primary" is needed' in fault


def test_a_service_on_port_53_is_in_the_way() -> None:
    declaration = declared(zones=[ON_LINES])
    declaration["services"][0]["ports"] = ["80/tcp", "53/udp"]
    declaration["services"][0].pop("verify_ports", None)
    assert "takes port 53 of the line" in "\n".join(faults(declaration))
