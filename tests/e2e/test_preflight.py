# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles check a host first: they fix what they can, stop at other errors, and print warnings.

The tests build on each other in their order: a firewall of two lines is made unready, refused, fixed and unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.e2e.dumps import differences, dump
from ansible_collections.multihome.linux.tests.e2e.playbooks import Run
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab

HOST = "fw"
LOOK = "Run preflight"
MEND = "Set kernel parameters for the lines"
ROUTE = "Route to the Internet by the lines' gateways"
# No source tells the servers' lines apart, so that only marks do.
VARIABLES: dict[str, Any] = {**playbooks.FAILOVER, "isp_firewall_snat": []}
FOREIGN_RULE = ("priority", "20500", "from", "10.0.0.0/8", "lookup", "77")
GATEWAY = ("198.51.100.1/24", "dev", "line0")


def set_parameters(lab: Lab, *assignments: str) -> None:
    """Set kernel parameters on the firewall."""
    lab.exec(HOST, "sysctl", "-q", "-w", *assignments)


def value(lab: Lab, name: str) -> str:
    """The value of a kernel parameter on the firewall."""
    return lab.exec(HOST, "sysctl", "-n", name).stdout.strip()


def findings(run: Run, severity: str, host: str = HOST) -> list[tuple[str, str]]:
    """Kinds and subjects of what was found on a host, by default the firewall."""
    (looked,) = (result for result in run.results if result.host == host and result.task.endswith(LOOK))
    found = looked.values["findings"]
    return sorted((finding["id"], finding["subject"]) for finding in found if finding["severity"] == severity)


def warnings(run: Run) -> list[str]:
    """What was printed of the fitness of all hosts."""
    looked = [result for result in run.results if result.task.endswith(LOOK)]
    return [str(warning) for result in looked for warning in result.values.get("warnings") or ()]


def refused(lab: Lab, **variables: Any) -> Run:
    """A run that fails on the firewall, and leaves it as it is."""
    before = dump(lab)
    run = playbooks.run(lab, playbooks.DEPLOY, "--limit", HOST, variables={**VARIABLES, **variables})
    assert run.code
    assert len(run.failures) == 1
    assert differences(before, dump(lab)) == []
    return run


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> Lab:
    """One firewall of two lines with a strict filter, without IPv6 on a line, and with somebody's policy rule."""
    lab = start_lab(lines=2, shape="B")
    set_parameters(lab, "net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.wan0.rp_filter=0")
    set_parameters(lab, "net.ipv4.conf.wan1.rp_filter=1", "net.ipv6.conf.wan1.disable_ipv6=1")
    lab.exec(HOST, "ip", "rule", "add", *FOREIGN_RULE)
    return lab


STRICT = [("rp-filter-strict", "wan0"), ("rp-filter-strict", "wan1")]
FORWARDING = [("forwarding-off", "IPv4"), ("forwarding-off", "IPv6")]
WANTING = sorted([*STRICT, *FORWARDING, ("ipv6-disabled", "wan1")])
# Where IPv6 is switched off, no gateway is heard.
UNHEARD = [("gateway-silent", "2001:db8:b::1")]
# The default route that the ISP's side has set is another one than those that the role adds.
DEFAULTS = [("several-default-routes", "IPv4"), ("several-default-routes", "IPv6")]
TAKEN = [("priority-band-in-use", "priorities 20000 to 23021")]


def test_what_is_left_to_the_host_stops_the_role_all_at_once(lab: Lab) -> None:
    run = refused(lab, isp_firewall_manage_sysctl=False)
    assert findings(run, "error") == sorted(WANTING + TAKEN)
    (said,) = run.failures
    assert findings(run, "warning") == [*UNHEARD, *DEFAULTS]
    assert f"{HOST} is not ready for its lines (errors: {len(WANTING + TAKEN)}, warnings: 3):" in said
    assert said.count("    remedy: ") == len(WANTING + TAKEN) + 3
    assert "rp_filter is strict (1) on wan0: its own value is 0, that of all is 1" in said
    assert "remedy: set net.ipv4.conf.wan0.rp_filter = 2" in said


def test_somebody_elses_rule_between_ours_stops_the_role_alone(lab: Lab) -> None:
    run = refused(lab)
    assert findings(run, "error") == TAKEN
    assert findings(run, "info") == WANTING
    assert "there are rules of other owners between those of the lines: " in run.failures[0]
    assert "10.0.0.0/8" in run.failures[0]


def actions(run: Run) -> Sequence[Any]:
    """What was done about the kernel parameters of the firewall, or would be."""
    (mended,) = (result for result in run.results if result.host == HOST and result.task.endswith(MEND))
    return [(action["op"], action["object"]["name"], action["object"]["value"]) for action in mended.values["actions"]]


BY_HAND = ("priority", "23010", "from", "192.168.168.1", "lookup")


@pytest.mark.parametrize(("table", "expected"), [("1001", []), ("1002", ["priority-band-in-use"])])
def test_a_rule_of_the_role_that_was_set_by_hand_does_not_stop_it(lab: Lab, table: str, expected: list[str]) -> None:
    lab.exec(HOST, "ip", "rule", "del", *FOREIGN_RULE)
    lab.exec(HOST, "ip", "rule", "add", *BY_HAND, table)
    snat = {"isp_firewall_snat": [{"line": "unicom", "source": "192.168.168.1"}]}
    run = playbooks.run(lab, playbooks.DEPLOY, "--check", "--limit", HOST, variables={**VARIABLES, **snat})
    lab.exec(HOST, "ip", "rule", "del", *BY_HAND, table)
    lab.exec(HOST, "ip", "rule", "add", *FOREIGN_RULE)
    assert [kind for kind, _subject in findings(run, "error")] == expected
    assert bool(run.code) == bool(expected)
    routing = [result for result in run.results if result.host == HOST and result.task.endswith(ROUTE)]
    rules = [action["object"] for result in routing for action in result.values["actions"]]
    sources = [rule.get("source") for rule in rules if rule.get("priority") == 23010]
    # Of the rules by source at this priority, policy_routing adds all but the one that is already there.
    assert "192.168.168.1" not in sources
    assert bool(sources) != bool(expected)


def test_check_mode_says_what_would_be_mended_and_does_not(lab: Lab) -> None:
    lab.exec(HOST, "ip", "rule", "del", *FOREIGN_RULE)
    before = dump(lab)
    run = playbooks.deploy(lab, "--check", "--limit", HOST, variables=VARIABLES)
    assert findings(run, "error") == []
    assert set(actions(run)) == {
        ("add", "net.ipv4.ip_forward", "1"),
        ("add", "net.ipv6.conf.all.forwarding", "1"),
        *(("add", f"net.ipv4.conf.{wan}.forwarding", "1") for wan in ("wan0", "wan1")),
        *(("add", f"net.ipv4.conf.{wan}.rp_filter", "2") for wan in ("wan0", "wan1")),
        *(("add", f"net.ipv6.conf.{wan}.disable_ipv6", "0") for wan in ("wan0", "wan1")),
    }
    assert differences(before, dump(lab)) == []


def test_what_can_be_mended_is_and_a_gateway_that_is_silent_is_a_warning(lab: Lab) -> None:
    lab.exec("isp-interlink", "ip", "address", "del", *GATEWAY)
    run = playbooks.deploy(lab, variables=VARIABLES)
    lab.exec("isp-interlink", "ip", "address", "add", *GATEWAY)
    silent = "fw, 198.51.100.1: the gateway of line interlink does not answer ARP on wan1; remedy: check the gateway"
    assert [warning.startswith(silent) for warning in warnings(run)] == [True, False, False, False]
    assert findings(run, "warning") == [("gateway-silent", "198.51.100.1"), *UNHEARD, *DEFAULTS]
    assert [value(lab, f"net.ipv4.conf.{name}.rp_filter") for name in ("all", "wan0", "wan1")] == ["1", "2", "2"]
    assert value(lab, "net.ipv6.conf.wan1.disable_ipv6") == "0"
    assert checks.eventually(lambda: checks.services_answered(lab)) == []


def test_once_mended_nothing_is_said_of_it_and_nothing_changes(lab: Lab) -> None:
    run = playbooks.deploy(lab, variables=VARIABLES)
    assert checks.unchanged_and_short(run, checks.MOST_TASKS_OF_SEVERAL_LINES) == []
    assert findings(run, "error") == findings(run, "info") == []
    # The default route that was there before the deployment, the other one of this control.
    assert findings(run, "warning") == DEFAULTS
    assert len(warnings(run)) == 2


def test_control_a_strict_filter_makes_the_other_line_deaf(lab: Lab) -> None:
    assert checks.services_answered(lab) == []
    set_parameters(lab, "net.ipv4.conf.wan1.rp_filter=1")
    problems = checks.services_answered(lab, timeout=1)
    assert problems
    assert all("line interlink" in problem and "IPv4" in problem for problem in problems)
    set_parameters(lab, "net.ipv4.conf.wan1.rp_filter=2")
    assert checks.services_answered(lab) == []


@pytest.mark.parametrize("way", ["failover", "balance"])
def test_another_default_route_is_a_warning_at_the_first_run_of_a_server(start_lab: StartLab, way: str) -> None:
    lab = start_lab(lines=2)

    def warned() -> list[tuple[str, str]]:
        variables = {**playbooks.UNPROTECTED, "multihomed_web_default_route": way}
        run = playbooks.run(lab, playbooks.DEPLOY, "--check", "--limit", "web1", variables=variables)
        assert run.code == 0, run.failures
        return findings(run, "warning", "web1")

    assert warned() == []
    lab.exec("web1", "ip", "route", "add", "default", "via", "192.168.168.11")
    lab.exec("web1", "ip", "-6", "route", "add", "default", "via", "fd00:168::11", "metric", "1")
    assert warned() == DEFAULTS
