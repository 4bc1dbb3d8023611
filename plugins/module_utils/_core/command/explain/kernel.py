# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The live kernel, as far as explanations need it: rules, routes, interfaces, parameters, translations, marks."""

from __future__ import annotations

import errno
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ...errors import MultihomeError
from ...filters.nftables import DEFAULT_TABLE
from ...filters.reader import read_filters, run
from ...filters.rulesets import Table
from ...host.kernel_features import kernel_features
from ...host.kernel_parameters import System
from ...marks import engine as mark_engine
from ...marks.model import ConnectionMark
from ...nat import engine as nat_engine
from ...nat.conntrack import Conntrack, Flow
from ...nat.model import NatRule
from ...netlink.rtnetlink import Message, Netlink, RequestFailed, RouteFilter
from ...preflight.facts import Link, read_links
from ...preflight.link_probe import Questions, ask
from ...routing import rtnetlink_mapping
from ...routing.interface_availability import decode_link
from ...routing.route_lookup import LOOKUP_TABLE, Path, question
from ...routing.rule_walk import listed_rules
from .walk import TAKEN, Looked, walk

T = TypeVar("T")
_TYPES = {1: "unicast", 2: "local", 3: "broadcast", 4: "anycast", 5: "multicast", 6: "blackhole", 7: "unreachable"}
_TYPES[8] = "prohibit"
# How long a gateway may take to answer on its link.
ANSWERS_WITHIN = 1.2
# Of a busy firewall so many connections are looked at; one of each line is enough.
_MOST_FLOWS = 50000


@dataclass(frozen=True)
class Answer:
    """The kernel's answer about one packet, and how it came to it; ``error`` is an errno where it refused."""

    kind: str
    table: int | None = None
    gateway: str | None = None
    interface: str | None = None
    source: str | None = None
    error: int = 0
    looked: Sequence[Looked] = ()

    @property
    def leaves(self) -> bool:
        """Whether the packet is sent on."""
        return self.kind == "unicast"


@dataclass
class Kernel:
    """One reading of the kernel; parts are read when they are needed. A context manager."""

    nft_table: str = DEFAULT_TABLE
    notes: list[str] = field(default_factory=list)

    def __enter__(self) -> Kernel:
        self._socket = Netlink().__enter__()
        try:
            self.rules = listed_rules(self._socket.dump("rule"))
            links = self._socket.dump("link")
        except BaseException:
            self._socket.__exit__()
            raise
        self.names = {message.header["index"]: str(message.get("IFLA_IFNAME", "")) for message in links}
        self.indexes = {name: index for index, name in self.names.items()}
        self.groups = {message.header["index"]: message.get("IFLA_GROUP", 0) for message in links}
        self.other_names = {other: link.name for link in map(decode_link, links) for other in link.alternative_names}
        self._routes: dict[int, Sequence[Message]] = {}
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.__exit__()

    # ---------------------------------------------------------------- routing
    def routes(self, table: int) -> Sequence[Message]:
        """Return the routes of a table."""
        if table not in self._routes:
            found = self._socket.dump("route", [RouteFilter(table=table)])
            self._routes[table] = [m for m in found if m.get("RTA_TABLE", m.header["table"]) == table]
        return self._routes[table]

    def ask(self, path: Path) -> Answer:
        """Ask the kernel about a packet, and look through rules and routes as it does."""
        looked = walk(self.rules, path.packet, self.routes, self.groups)
        try:
            answer = self._socket.look_up(*question(path, self.indexes, LOOKUP_TABLE))
        except RequestFailed as error:
            return Answer("refused", error=error.code, looked=looked)
        return Answer(
            _TYPES.get(answer.header["type"], "unknown"),
            table=answer.get("RTA_TABLE", answer.header["table"]),
            gateway=rtnetlink_mapping.gateway_of(answer),
            interface=self.names.get(answer.get("RTA_OIF", 0)),
            source=answer.get("RTA_PREFSRC"),
            looked=looked,
        )

    def way_back(self, remote: str, address: str) -> str | None:
        """Return the interface that the reverse path filter expects packets of ``remote`` for ``address`` by.

        It looks up the reply without a mark (fib_validate_source); the kernel can only be asked so for its own address.
        """
        looked = walk(self.rules, Path(remote, address).packet, self.routes, self.groups)
        route = looked[-1].route if looked and looked[-1].outcome == TAKEN else None
        return None if route is None else self.names.get(route.get("RTA_OIF", 0))

    def is_local(self, address: str) -> bool:
        """Tell whether an address is one of this host."""
        return self.ask(Path(address)).kind == "local"

    @functools.cached_property
    def addresses(self) -> Mapping[str, tuple[str, int]]:
        """The addresses of the interfaces: interface and prefix length of each."""
        found = {}
        for message in self._socket.dump("address"):
            address = message.get("IFA_LOCAL") or message.get("IFA_ADDRESS")
            name = self.names.get(message.header["index"])
            if address and name:
                found[str(address)] = (name, int(message.header["prefixlen"]))
        return found

    # ---------------------------------------------------------------- interfaces and parameters
    @functools.cached_property
    def links(self) -> Mapping[str, Link]:
        """The interfaces by name."""
        return read_links()

    def parameter(self, path: str) -> int | None:
        """Return a kernel parameter below /proc/sys that is a number; None where this kernel has none."""
        try:
            return int(System().get(path))
        except (OSError, ValueError):
            return None

    def rp_filter(self, interface: str) -> int:
        """Return the reverse path filter of an interface: the larger value of this and all."""
        paths = (f"net/ipv4/conf/{which}/rp_filter" for which in ("all", interface))
        return max(self.parameter(path) or 0 for path in paths)

    def silent(self, neighbours: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Ask (interface, address) on their links; return those that do not answer. Interfaces without are left out."""
        asked = [
            (interface, address)
            for interface, address in dict.fromkeys(neighbours)
            if interface in self.links and self.links[interface].neighbours and self.links[interface].hardware
        ]
        hardware = {name: self.links[name].hardware for name, _address in asked}
        senders = {target: sender for target in asked for sender in [self._sender(*target)] if sender}
        answers = ask(Questions(gateways=asked, senders=senders, hardware=hardware), ANSWERS_WITHIN)
        self.notes += [f"cannot ask on {name}: {reason}" for name, reason in answers.unasked.items()]
        return {target for target in asked if target not in answers.gateways and target[0] not in answers.unasked}

    def _sender(self, interface: str, _address: str) -> str:
        own = (address for address, (name, _length) in self.addresses.items() if name == interface)
        return next((address for address in own if ":" not in address), "")

    # ---------------------------------------------------------------- packet filters
    @functools.cached_property
    def translations(self) -> Sequence[tuple[NatRule, int]]:
        """The translations in the order they are tried, each with the number of connections that it made."""
        return self._read("translations", self._translations, ())

    def _translations(self) -> Sequence[tuple[NatRule, int]]:
        found = []
        for state in nat_engine.read_states(self.nft_table):
            counted = state.counters()
            found += [(rule, counted[rule.key][0]) for rule, _position in state.rules()]
        return found

    @functools.cached_property
    def marks(self) -> Sequence[ConnectionMark]:
        """The marks that connections get."""
        return self._read("connection marks", lambda: mark_engine.configured(self.nft_table).marks, ())

    @functools.cached_property
    def mask(self) -> int:
        """The bits of a connection mark that are ours."""
        return self._read("connection marks", lambda: mark_engine.configured(self.nft_table).mask, 0xFF)

    @functools.cached_property
    def filters(self) -> Sequence[Table]:
        """The packet filters of other programs and our own."""
        missing: list[tuple[str, str]] = []
        none: list[Table] = []
        found = self._read(
            "packet filters", lambda: read_filters(run, kernel_features("/"), missing, "/proc/net"), none
        )
        self.notes += [f"{subject}: {reason}" for subject, reason in missing]
        return found

    @functools.cached_property
    def flows(self) -> Sequence[Flow]:
        """The tracked connections, the first of many."""
        return self._read("tracked connections", self._flows, ())

    def _flows(self) -> Sequence[Flow]:
        found: list[Flow] = []
        for flow in Conntrack().flows(False):
            found.append(flow)
            if len(found) == _MOST_FLOWS:
                break
        return found

    def _read(self, what: str, read: Callable[[], T], otherwise: T) -> T:
        try:
            return read()
        except (MultihomeError, OSError) as error:
            text = f"{what} cannot be read: {error}".splitlines()[0]
            if text not in self.notes:
                self.notes.append(text)
            return otherwise


def refusal(error: int) -> str:
    """Return what an error of a look-up means for a packet."""
    return {
        errno.EHOSTUNREACH: "unreachable",
        errno.ENETUNREACH: "no route, or a rule says unreachable",
        errno.EACCES: "prohibited",
        errno.EXDEV: "the reverse path filter drops it",
        errno.EINVAL: "its source address is not valid here",
        errno.ENODEV: "the interface is gone",
    }.get(error, errno.errorcode.get(error, f"error {error}"))
