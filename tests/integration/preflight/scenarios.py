# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with a host, made and unmade: one scenario for each kind of finding at least."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.multihome.linux.tests.integration.preflight import steps
from ansible_collections.multihome.linux.tests.integration.preflight.steps import (
    INTERLINK,
    MARKS,
    UNICOM,
    Step,
    also,
    nft,
    nothing,
    on,
    sysctl,
)


@dataclass(frozen=True)
class Scenario:
    """``make`` brings about what is found as ``found``, (id, subject) each; after ``unmake`` nothing is."""

    name: str
    found: list[tuple[str, str]]
    make: Step
    unmake: Step
    options: Mapping[str, Any] = field(default_factory=dict)


_FLUSH = on("host", "nft flush ruleset")
_DOCKER, _UFW = (on("host", "iptables-nft-restore", feed=text) for text in (steps.DOCKER, steps.UFW))
_SHARED = {**INTERLINK, "public_addresses": ["192.168.168.2/24"], "gateway": "192.168.168.12"}
_SHARING = {"lines": [UNICOM, _SHARED]}
_SHARED_ADDRESSES = on("peer", "ip address add 192.168.168.12/24 dev eth1")
_NOT_SHARED = on("peer", "ip address del 192.168.168.12/24 dev eth1")
_TIDY_ARP = sysctl("net.ipv4.conf.eth0.arp_ignore=0", "net.ipv4.conf.eth1.arp_ignore=0")
_TIDY_ANNOUNCE = sysctl("net.ipv4.conf.eth0.arp_announce=0", "net.ipv4.conf.eth1.arp_announce=0")
_LOOSE = sysctl("net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.eth0.rp_filter=0", "net.ipv4.conf.eth1.rp_filter=0")
_MAPPED = "-m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT"
_WEB = {"type": "dnat", "protocol": "tcp", "destination": "198.51.100.2", "destination_port": "80"}
_MAPPED_PORT = {"nat_rules": [{**_WEB, "to_address": "192.168.168.5"}]}
_OUTGOING = {"nat_rules": [{"type": "masquerade", "source": "192.168.168.5", "out_interface": "eth1"}]}
_ADD_NETWORKS = (
    "ip address add 203.0.113.9/24 dev eth1",
    "ip link add mgmt0 type veth peer name mgmt1",
    "ip link set mgmt0 up",
    "ip address add 10.99.0.2/24 dev mgmt0",
)
# The role adds it on a server; a firewall has its addresses already.
_NEW_ADDRESS = {"lines": [{**UNICOM, "addresses": ["192.168.168.3/24"]}, INTERLINK], "role": "server"}


def _with(line: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    return {"lines": [{**line, **changes}]}


SCENARIOS = [
    Scenario(
        "an interface that does not exist",
        [("interface-missing", "eth0")],
        on("host", "ip link set eth0 down", "ip link set eth0 name eth9"),
        also(
            on("host", "ip link set eth9 name eth0", "ip link set eth0 up"),
            on("host", "ip address replace fd00:168::1/64 dev eth0 nodad"),
        ),
    ),
    Scenario(
        "an interface that a dial-up line does not have yet",
        [("interface-not-yet", "ppp0")],
        nothing,
        on("host", "ip link add ppp0 type veth peer name ppp1", "ip link set ppp0 up", "ip link set ppp1 up"),
        {"lines": [UNICOM, {"id": 3, "interface": "ppp0", "addresses": ["auto"], "gateways": ["auto"]}]},
    ),
    Scenario(
        "an interface that is switched off",
        [("interface-down", "eth1")],
        on("host", "ip link set eth1 down"),
        also(on("host", "ip link set eth1 up"), steps.carrier(True)),
    ),
    Scenario(
        "a cable that is unplugged",
        [("no-carrier", "eth1")],
        also(on("peer", "ip link set eth1 down"), steps.carrier(False)),
        also(on("peer", "ip link set eth1 up"), steps.carrier(True)),
    ),
    Scenario(
        "a kernel without IPv6",
        [("ipv6-missing", "IPv6")],
        on("host", "mount -t tmpfs tmpfs /proc/sys/net/ipv6"),
        on("host", "umount /proc/sys/net/ipv6"),
    ),
    Scenario(
        "IPv6 switched off on an interface",
        [("ipv6-disabled", "eth0"), ("gateway-silent", "fd00:168::11")],
        sysctl("net.ipv6.conf.eth0.disable_ipv6=1"),
        also(
            sysctl("net.ipv6.conf.eth0.disable_ipv6=0"),
            on("host", "ip address replace fd00:168::1/64 dev eth0 nodad"),
        ),
    ),
    Scenario(
        "strict reverse path filtering on all interfaces of a firewall that marks",
        [("rp-filter-strict", "eth0"), ("rp-filter-strict", "eth1")],
        sysctl("net.ipv4.conf.all.rp_filter=1"),
        _LOOSE,
    ),
    Scenario(
        "strict reverse path filtering on one interface, mended as the remedy says",
        [("rp-filter-strict", "eth1")],
        sysctl("net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.eth0.rp_filter=2"),
        sysctl("net.ipv4.conf.eth1.rp_filter=2"),
    ),
    Scenario(
        "strict reverse path filtering where all lines share one interface",
        [("rp-filter-strict-tolerated", "eth0")],
        sysctl("net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.eth0.rp_filter=1"),
        _LOOSE,
        {"lines": [UNICOM]},
    ),
    Scenario(
        "a firewall that forwards nothing",
        [("forwarding-off", "IPv4"), ("forwarding-off", "IPv6")],
        sysctl("net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0"),
        sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"),
    ),
    Scenario(
        "one interface that does not forward",
        [("forwarding-off", "eth1")],
        sysctl("net.ipv4.conf.eth1.forwarding=0"),
        sysctl("net.ipv4.conf.eth1.forwarding=1"),
    ),
    Scenario(
        "ARP that is never answered",
        [("arp-ignored", "eth0"), ("arp-ignored", "eth1")],
        sysctl("net.ipv4.conf.all.arp_ignore=8"),
        sysctl("net.ipv4.conf.all.arp_ignore=0"),
    ),
    Scenario(
        "two interfaces in one subnet that answer for each other",
        [("arp-answers-twice", "eth0"), ("arp-answers-twice", "eth1")],
        also(_SHARED_ADDRESSES, sysctl("net.ipv4.conf.all.arp_announce=2")),
        sysctl("net.ipv4.conf.eth0.arp_ignore=1", "net.ipv4.conf.eth1.arp_ignore=1"),
        _SHARING,
    ),
    Scenario(
        "two interfaces in one subnet that ask in each other's name",
        [("arp-announces-other", "eth0"), ("arp-announces-other", "eth1")],
        sysctl("net.ipv4.conf.all.arp_announce=0"),
        sysctl("net.ipv4.conf.eth0.arp_announce=2", "net.ipv4.conf.eth1.arp_announce=2"),
        _SHARING,
    ),
    Scenario(
        "the same ARP settings without a shared subnet",
        [],
        also(_TIDY_ARP, _TIDY_ANNOUNCE, _NOT_SHARED),
        nothing,
    ),
    Scenario(
        "a file that undoes at boot what ours has set",
        [("sysctl-overridden", "net.ipv4.conf.eth0.rp_filter")],
        also(
            on("host", "tee /etc/sysctl.d/60-multihome.conf", feed="net.ipv4.conf.eth0.rp_filter = 2\n"),
            on("host", "tee /etc/sysctl.d/90-hardening.conf", feed="net.ipv4.conf.eth0.rp_filter = 1\n"),
        ),
        on("host", "mv /etc/sysctl.d/90-hardening.conf /etc/sysctl.d/10-hardening.conf"),
    ),
    Scenario(
        "a hardening file that ends forwarding at boot",
        [("sysctl-overridden", "net.ipv4.ip_forward")],
        on("host", "tee /etc/sysctl.d/90-hardening.conf", feed="net.ipv4.conf.all.forwarding=0\n"),
        on("host", "rm /etc/sysctl.d/90-hardening.conf"),
        {"kernel_parameters": [{"name": "net.ipv4.ip_forward", "value": "1"}]},
    ),
    Scenario(
        "a routing daemon in a line's table",
        [("table-in-use", "table 1001")],
        on("host", "ip route add 10.0.0.0/8 via 192.168.168.11 table 1001 proto bgp"),
        on("host", "ip route del 10.0.0.0/8 table 1001"),
    ),
    Scenario(
        "somebody else's policy rule between ours",
        [("priority-band-in-use", "priorities 20000 to 23020")],
        on("host", "ip rule add priority 20500 from 10.0.0.0/8 lookup 77"),
        on("host", "ip rule del priority 20500"),
    ),
    Scenario(
        "a rule of a server's address, set by hand for the table of another line",
        [("priority-band-in-use", "priorities 20000 to 23020")],
        on("host", "ip rule add priority 23010 from 192.168.168.77 lookup 1002"),
        on("host", "ip rule del priority 23010", "ip rule add priority 23010 from 192.168.168.77 lookup 1001"),
    ),
    Scenario(
        "a rule of our priority and table, set by hand for another address",
        [("priority-band-in-use", "priorities 20000 to 23020")],
        on("host", "ip rule add priority 23010 from 192.168.168.78 lookup 1001"),
        on("host", "ip rule del priority 23010 from 192.168.168.78"),
    ),
    Scenario(
        "a rule outside of our priorities",
        [],
        on("host", "ip rule add priority 23021 from 10.0.0.0/8 lookup 77"),
        on("host", "ip rule del priority 23021", "ip rule del priority 23010"),
    ),
    Scenario(
        "what the lines need, set by hand earlier",
        [],
        on(
            "host",
            "ip rule add priority 20000 lookup main suppress_prefixlength 0",
            "ip rule add priority 23010 from 192.168.168.1 lookup 1001",
            "ip rule add priority 23011 from 192.168.168.1 unreachable",
            "ip rule add priority 20020 fwmark 0x2/0xff lookup 1002",
            "ip -6 rule add priority 23010 from fd00:168::1 lookup 1001",
            "ip route add default via 192.168.168.11 dev eth0 table 1001",
            "ip route add 10.0.0.0/8 via 192.168.168.11 table 1001 proto 109",
            "ip rule add priority 20500 from 10.0.0.0/8 lookup 77 protocol 109",
        ),
        on(
            "host",
            "ip rule del priority 20000",
            "ip rule del priority 23010",
            "ip rule del priority 23011",
            "ip rule del priority 20020",
            "ip rule del priority 20500 protocol 109",
            "ip -6 rule del priority 23010",
            "ip route flush table 1001",
        ),
    ),
    Scenario(
        "somebody else's policy rule for the mark of a line",
        [("mark-in-use", "policy rule 100"), ("mark-bits-shared", "policy rule 101")],
        on(
            "host",
            "ip rule add priority 100 fwmark 0x1 lookup 77",
            "ip rule add priority 101 fwmark 0x30/0xf0 lookup 77",
        ),
        on("host", "ip rule del priority 100", "ip rule del priority 101"),
    ),
    Scenario(
        "marks of other bits",
        [],
        also(
            on("host", "ip rule add priority 100 fwmark 0x4000/0xff00 lookup 77"),
            nft(MARKS.format("meta mark set mark or 0x4000")),
        ),
        also(on("host", "ip rule del priority 100"), _FLUSH),
    ),
    Scenario(
        "an nft rule that writes the mark of a line",
        [("mark-in-use", "nft table inet other, chain any")],
        nft(MARKS.format("meta mark set mark and 0xffffff00 or 0x2")),
        _FLUSH,
    ),
    Scenario(
        "an nft rule that writes over our bits",
        [("mark-bits-shared", "nft table inet other, chain any")],
        nft(MARKS.format("ct mark set numgen inc mod 2")),
        _FLUSH,
    ),
    Scenario(
        "an iptables rule that writes the mark of a line",
        [("mark-in-use", "iptables table mangle, chain PREROUTING")],
        on("host", "iptables-nft -t mangle -A PREROUTING -j CONNMARK --set-mark 0x1/0xff"),
        on("host", "iptables-nft -t mangle -F"),
    ),
    Scenario(
        "an ip6tables rule that writes over our bits",
        [("mark-bits-shared", "ip6tables table mangle, chain PREROUTING")],
        on("host", "ip6tables-nft -t mangle -A PREROUTING -j MARK --set-mark 0x99"),
        on("host", "ip6tables-nft -t mangle -F"),
    ),
    Scenario(
        "marks of others where nobody marks connections",
        [],
        nft(MARKS.format("meta mark set 0x1")),
        _FLUSH,
        {"uses_marks": False},
    ),
    Scenario(
        "our own marks",
        [],
        nft(MARKS.format("meta mark set 0x1").replace("other", "multihome")),
        _FLUSH,
    ),
    Scenario(
        "a file of another program in the place of the command",
        [("command-name-taken", "/usr/local/sbin/multihome")],
        on("host", "mount -t tmpfs tmpfs /usr/local/sbin", "touch /usr/local/sbin/multihome"),
        on("host", "umount /usr/local/sbin"),
    ),
    Scenario(
        "systemd-networkd as it comes",
        [("networkd-removes-foreign", "routes"), ("networkd-removes-foreign", "policy rules")],
        steps.run_networkd,
        steps.configure_networkd,
    ),
    Scenario(
        "two defaults in main",
        [("several-default-routes", "IPv4")],
        on(
            "host",
            "ip route add default via 192.168.168.11 proto dhcp metric 100",
            "ip route add default via 198.51.100.1 proto dhcp metric 200",
        ),
        on("host", "ip route del default metric 200"),
    ),
    Scenario(
        "two defaults in main, both ours",
        [],
        on(
            "host",
            "ip route del default",
            "ip route add default via 192.168.168.11 metric 257 proto 109",
            "ip route add default via 198.51.100.1 metric 258 proto 109",
        ),
        on("host", "ip route del default metric 257", "ip route del default metric 258"),
    ),
    Scenario(
        "a gateway in no network of the interface, mended as the remedy says",
        [("gateway-not-on-link", "10.9.9.9")],
        on("peer", "ip address add 10.9.9.9/32 dev eth0"),
        on("host", "ip route add 10.9.9.9 dev eth0"),
        _with(UNICOM, gateways=["10.9.9.9", "fd00:168::11"]),
    ),
    Scenario(
        "a line without a gateway in the declaration, and without a default route",
        [("no-way-out", "line interlink, IPv4")],
        on("host"),
        on("host", "ip route add 0.0.0.0/1 via 198.51.100.1", "ip route add 128.0.0.0/1 via 198.51.100.1"),
        _with(INTERLINK, gateway=None),
    ),
    Scenario(
        "an address of the line that the host does not have",
        [("public-address-missing", "198.51.100.3")],
        on("host", "ip route del 0.0.0.0/1", "ip route del 128.0.0.0/1"),
        on("host", "ip address add 198.51.100.3/24 dev eth1"),
        _with(INTERLINK, public_addresses=["198.51.100.2/24", "198.51.100.3/24", "203.0.113.9/28"]),
    ),
    Scenario(
        "targets of a health check that are not behind the line",
        [
            ("probe-target-not-behind-line", "line interlink, 203.0.113.53"),
            ("probe-target-not-behind-line", "line interlink, 10.99.0.1"),
        ],
        on("host", *_ADD_NETWORKS),
        on("host", "ip link del mgmt0", "ip address del 203.0.113.9/24 dev eth1"),
        _with(INTERLINK, health={"targets": ["192.0.2.1", {"tcp": "203.0.113.53:443"}, {"dns": "10.99.0.1"}]}),
    ),
    Scenario(
        "gateways that do not answer",
        [("gateway-silent", "192.168.168.11"), ("gateway-silent", "fd00:168::11")],
        on("peer", "ip address del 192.168.168.11/24 dev eth0", "ip address del fd00:168::11/64 dev eth0"),
        on("peer", "ip address add 192.168.168.11/24 dev eth0", "ip address add fd00:168::11/64 dev eth0 nodad"),
    ),
    Scenario(
        "an IPv4 address that another host has",
        [("duplicate-address", "192.168.168.3")],
        on("peer", "ip address add 192.168.168.3/24 dev eth0"),
        on("peer", "ip address del 192.168.168.3/24 dev eth0"),
        _NEW_ADDRESS,
    ),
    Scenario(
        "an IPv6 address that another host has",
        [("duplicate-address", "fd00:168::9")],
        steps.duplicated_ipv6,
        also(
            on("host", "ip address del fd00:168::9/64 dev eth0"),
            on("peer", "ip address del fd00:168::9/64 dev eth0"),
        ),
        {**_with(UNICOM, addresses=["fd00:168::9/64"]), "role": "server"},
    ),
    Scenario(
        "rules of iptables-legacy; its empty tables do no harm",
        [("legacy-iptables", "iptables-legacy table filter"), ("legacy-iptables", "ip6tables-legacy table filter")],
        on("host", "iptables-legacy -A INPUT -j ACCEPT", "ip6tables-legacy -A INPUT -j ACCEPT"),
        on("host", "iptables-legacy -F", "ip6tables-legacy -F"),
    ),
    Scenario(
        "a policy of iptables-legacy that drops",
        [
            ("forward-dropped", "iptables-legacy table filter, chain FORWARD"),
            ("legacy-iptables", "iptables-legacy table filter"),
        ],
        on("host", "iptables-legacy -P FORWARD DROP"),
        on("host", "iptables-legacy -P FORWARD ACCEPT"),
    ),
    Scenario(
        "a kernel without NAT of nftables",
        [("kernel-feature-missing", "NFT_NAT")],
        steps.kernel_without_nat,
        steps.kernel_with_nat,
    ),
    Scenario(
        "an nft filter that forwards nothing",
        [("forward-dropped", "nft table inet filter, chain forward")],
        nft(steps.FILTER.replace("RULES", "meta l4proto icmp accept")),
        on("host", "nft insert rule inet filter forward ct status dnat accept"),
    ),
    Scenario(
        "an nft filter with rules of its own",
        [("forward-filtered", "nft table inet filter, chain forward")],
        also(_FLUSH, nft(steps.FILTER.replace("RULES", "ip daddr 192.168.168.9 tcp dport 80 accept"))),
        _FLUSH,
    ),
    Scenario("firewalld, which lets mapped connections pass", [], nft(steps.FIREWALLD), _FLUSH),
    Scenario(
        "Docker, mended as the remedy says",
        [("iptables-forward-dropped", "iptables table filter, chain FORWARD")],
        also(_DOCKER, on("host", "ip link add docker0 type bridge")),
        on("host", "iptables-nft -I DOCKER-USER -m conntrack --ctstate DNAT -j ACCEPT"),
        {"servers": ["192.168.168.5", "192.168.168.6"]},
    ),
    Scenario(
        "Docker in front of a container that is mapped to, perhaps published by Docker itself",
        [("iptables-forward-filtered", "iptables table filter, chain FORWARD")],
        also(_FLUSH, _DOCKER, on("host", "ip address add 172.17.0.1/16 dev docker0")),
        also(_FLUSH, on("host", "ip link del docker0")),
        {"servers": ["172.17.0.2"]},
    ),
    Scenario(
        "ufw, mended as the remedy says",
        [("iptables-forward-dropped", "iptables table filter, chain FORWARD")],
        also(_FLUSH, _UFW),
        on("host", "iptables-nft -A ufw-before-forward -m conntrack --ctstate DNAT -j ACCEPT"),
    ),
    Scenario(
        "an nft filter that drops what servers initiate, mended as the remedy says",
        [("outgoing-dropped", "nft table inet filter, chain forward")],
        also(_FLUSH, nft(steps.FILTER.replace("RULES", "ct status dnat accept"))),
        on("host", 'nft insert rule inet filter forward iifname { "eth0" } oifname { "eth1" } accept'),
        _OUTGOING,
    ),
    Scenario(
        "an nft filter with rules of its own for what servers initiate",
        [("outgoing-filtered", "nft table inet filter, chain forward")],
        also(_FLUSH, nft(steps.FILTER.replace("RULES", "ct status dnat accept; tcp dport 443 accept"))),
        _FLUSH,
        _OUTGOING,
    ),
    Scenario(
        "firewalld between zones that nothing joins",
        [("outgoing-dropped", "nft table inet firewalld, chain filter_FORWARD")],
        nft(steps.FIREWALLD),
        _FLUSH,
        _OUTGOING,
    ),
    Scenario(
        "iptables that drop what servers initiate",
        [("iptables-outgoing-dropped", "iptables table filter, chain FORWARD")],
        on("host", f"iptables-nft -A FORWARD {_MAPPED}", "iptables-nft -P FORWARD DROP"),
        on("host", "iptables-nft -I FORWARD -i eth0 -o eth1 -j ACCEPT"),
        _OUTGOING,
    ),
    Scenario(
        "iptables with rules of their own for what servers initiate",
        [("iptables-outgoing-filtered", "iptables table filter, chain FORWARD")],
        also(
            _FLUSH,
            on("host", f"iptables-nft -A FORWARD {_MAPPED}", "iptables-nft -P FORWARD DROP"),
            on("host", "iptables-nft -A FORWARD -p tcp --dport 443 -j ACCEPT"),
        ),
        _FLUSH,
        _OUTGOING,
    ),
    *[
        Scenario(
            f"a translation of the same port at priority {priority}",
            [(kind, "nft table inet other, chain c")],
            nft(steps.TRANSLATION.format(priority)),
            _FLUSH,
            _MAPPED_PORT,
        )
        for priority, kind in (
            (-150, "translation-taken"),
            (-101, "translation-contested"),
            (-100, "translation-preceded"),
        )
    ],
    Scenario("a server behind ufw", [], also(_FLUSH, _UFW), _FLUSH, {"role": "server"}),
    # The last one: its route stays.
    Scenario(
        "a line whose program may add a default route",
        [("default-route-to-come", "line interlink")],
        nothing,
        on("host", "ip route add default via 198.51.100.1 dev eth1 proto dhcp metric 40000200"),
        {
            "lines": [
                UNICOM,
                {"name": "interlink", "id": 2, "interface": "eth1", "addresses": ["auto"], "gateways": ["auto"]},
            ],
            "tables": [
                {
                    "id": 254,
                    "routes": [
                        {"destination": "default", "gateway": "192.168.168.11", "interface": "eth0", "metric": 65793}
                    ],
                }
            ],
        },
    ),
]
