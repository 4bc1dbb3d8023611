# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check fails when what it is about is taken out; the next deployment mends it, and says that it did."""

from __future__ import annotations

import pytest
from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.e2e.sabotage import GROUPS
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> Lab:
    """Two lines, deployed, on which everything holds."""
    lab = start_lab(lines=2)
    playbooks.deploy(lab)
    assert checks.everything(lab) == []
    return lab


@pytest.mark.parametrize("group", GROUPS)
def test_every_fault_is_noticed_and_the_next_deployment_mends_it(lab: Lab, group: str) -> None:
    faults = GROUPS[group]
    for fault in faults:
        assert not fault.is_noticed(lab), fault
        fault.inflict(lab)
        assert fault.is_noticed(lab), fault
    (host,) = {fault.host for fault in faults}
    run = playbooks.deploy(lab, "--limit", host)
    assert list(run.changed) == [host]
    assert checks.nothing_changed(run) != []
    for check in {fault.check for fault in faults}:
        assert check(lab) == []


def test_verify_notices_a_server_whose_replies_leave_by_another_line(lab: Lab) -> None:
    lab.exec("web1", "ip", "route", "replace", "default", "via", "192.168.168.11", "table", "1002", "proto", "109")
    run = playbooks.verify(lab)
    assert run.code
    said = "".join(run.failures)
    assert "web1: 192.168.168.2 of line interlink leaves by 192.168.168.11, not by 192.168.168.12" in said
    lab.exec("web1", "ip", "route", "replace", "default", "via", "192.168.168.12", "table", "1002", "proto", "109")


def test_a_hidden_client_is_noticed(lab: Lab) -> None:
    """A firewall that puts its own address in the client's place, so that replies come back by themselves."""
    assert checks.log_shows_client(lab) == []
    rule = "type nat hook postrouting priority 90; oifname lan0 masquerade"
    lab.exec("fw-a", "nft", "-f", "-", stdin=f"table inet somebody {{ chain post {{ {rule}; }}; }}")
    assert checks.services_answered(lab) == []
    assert checks.log_shows_client(lab) != []
    lab.exec("fw-a", "nft", "delete", "table", "inet", "somebody")
    assert checks.log_shows_client(lab) == []


def test_a_reply_by_the_wrong_line_is_noticed_also_where_the_isp_lets_it_out(lab: Lab) -> None:
    """Replies of line A leave by B with A's address, and B's ISP does not filter: the client has its answer."""
    assert checks.replies_leave_by_the_line(lab, "unicom") == []
    lab.exec("web1", "ip", "route", "replace", "default", "via", "192.168.168.12", "table", "1001", "proto", "109")
    rule = "type filter hook postrouting priority 0; ip saddr 192.168.168.1 ip saddr set 203.0.113.10"
    lab.exec("fw-b", "nft", "-f", "-", stdin=f"table inet somebody {{ chain post {{ {rule}; }}; }}")
    lab.exec("isp-interlink", "nft", "flush", "chain", "inet", "source_filter", "forward")
    # TCP does not get through, because line A's firewall drops the end of a handshake whose middle it has not seen.
    assert not any("udp" in problem for problem in checks.services_answered(lab, ["unicom"], timeout=1))
    assert any("left by line interlink" in problem for problem in checks.replies_leave_by_the_line(lab, "unicom"))
