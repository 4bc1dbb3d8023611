# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel in memory, at the level of netlink messages: what stands, what is refused, what goes along with what.

tests/integration/test_fake_kernel.py holds it against the real one. It leaves out the table local, broadcast routes and
link-local addresses, and every interface is up.
"""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import (
    FAMILIES,
    Filters,
    Message,
    RequestFailed,
    RouteFilter,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import rtnetlink_mapping
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.executor import Executor
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Alias
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.snapshot import Snapshot

from .fake_files import FakeFiles
from .fake_rules import Rules

INTERFACES = {"lo": 1, "eth0": 2, "eth1": 3}
_FOREVER = {"ifa_preferred": 0xFFFFFFFF, "ifa_valid": 0xFFFFFFFF, "cstamp": 0, "tstamp": 0}
_PERMANENT, _SECONDARY, _DEPRECATED, _ONLINK = 0x80, 0x01, 0x20, 0x04
_MAIN, _LINK, _KERNEL = 254, 253, 2


class FakeKernel:
    """A context manager with ``dump`` and ``send``, as Netlink is; ``executor()`` returns the Executor over it.

    ``read_only`` fails the test at the first request that would write. ``faults`` are raised instead of carrying out
    the request of this number, counted from 1 over all that is sent. ``settings`` is a directory with a file
    ``INTERFACE/promote_secondaries`` for each interface. With ``keeps_tags`` false it takes the owner tags of addresses
    and forgets them, as Linux before 5.18 does; then, as in Linux, each address has an instant of its creation.
    """

    def __init__(
        self,
        settings: Path | None = None,
        read_only: bool = False,
        faults: Mapping[int, BaseException] | None = None,
        keeps_tags: bool = True,
    ) -> None:
        self.settings = settings
        self.read_only = read_only
        self.faults = dict(faults or {})
        self.keeps_tags = keeps_tags
        self.sent: list[tuple[str, Message]] = []
        self.addresses: list[Message] = []
        self.routes: list[Message] = []
        self.rules = Rules()
        # Of the interfaces: those that do not exist or are down, their groups, and IFLA_PROP_LIST of each.
        self.missing: set[str] = set()
        self.down: set[str] = set()
        self.groups: dict[str, int] = {}
        self.alternative_names: dict[str, dict[str, tuple[str, ...]]] = {}
        self.files = FakeFiles()
        self.announced: list[Alias] = []

    def __enter__(self) -> FakeKernel:
        return self

    def __exit__(self, *_exception: object) -> None:
        pass

    def executor(self) -> Executor:
        """Return the executor, connected to this kernel."""
        return Executor(lambda: self, self.interfaces, str(self.settings), self.files, announce=self.announced.extend)

    def interfaces(self) -> dict[str, int]:
        """Return the interfaces that there are: name to index."""
        return {name: index for name, index in INTERFACES.items() if name not in self.missing}

    @property
    def links(self) -> list[Message]:
        """The messages about interfaces."""
        return [
            Message(
                "link",
                {"family": 0, "type": 1, "index": index, "flags": 0 if name in self.down else 1, "change": 0},
                {"IFLA_IFNAME": name, "IFLA_GROUP": self.groups.get(name, 0), **self.alternative_names.get(name, {})},
            )
            for name, index in self.interfaces().items()
        ]

    def dump(self, kind: str, only: Filters | None = None) -> list[Message]:
        """Return every object of a kind, IPv4 first, or the selected routes."""
        if kind == "link":
            return self.links
        # Addresses are kept, and listed, interface by interface.
        addresses = sorted(self.addresses, key=lambda message: message.header["index"])
        listed = {"address": addresses, "route": self.routes, "rule": self.rules.listed}[kind]
        found = [message for family in FAMILIES for message in listed if message.header["family"] == family]
        return found if only is None else [m for each in only for m in found if _is_selected(m, each)]

    def state(self) -> dict[str, list[str]]:
        """Return all that stands, in a form to compare; the order of routes and of IPv6 addresses says nothing."""
        return {
            "address": [repr(m) for m in self.dump("address") if m.header["family"] == rtnetlink_mapping.AF[4]]
            + sorted(repr(m) for m in self.dump("address") if m.header["family"] == rtnetlink_mapping.AF[6]),
            "route": sorted(repr(message) for message in self.routes),
            "rule": [repr(message) for message in self.dump("rule")],
            "link": [repr(message) for message in self.links],
        }

    def snapshot(self) -> Snapshot:
        """Return a snapshot of everything."""
        return self.executor().read("address", "route", "rule")

    def send(self, operation: str, message: Message) -> None:
        """Add, replace or remove one object, as the real kernel would; raises RequestFailed as it would."""
        assert not self.read_only, f"{operation} {message} sent to a kernel that is only to be read"
        self.sent.append((operation, message))
        if fault := self.faults.get(len(self.sent)):
            raise fault
        self.carry_out(operation, message)

    def carry_out(self, operation: str, message: Message) -> None:
        """Do what ``send`` is asked for, without counting it."""
        if message.kind == "link":
            names = {index: name for name, index in self.interfaces().items()}
            self.groups[names[message.header["index"]]] = message.get("IFLA_GROUP")
        elif message.kind == "rule":
            self.rules.change(operation, message)
        elif message.kind == "route":
            if operation == "remove":
                self._remove_route(message)
            else:
                self._add_route(operation, message)
        elif operation == "replace":
            self._change_lifetime(message)
        elif operation == "add":
            self._add_address(message)
        else:
            self._remove_address(message)

    # Addresses: Linux net/ipv4/devinet.c, net/ipv6/addrconf.c

    def _add_address(self, message: Message) -> None:
        index, version = message.header["index"], _version(message)
        here = [other for other in self._on(index) if _version(other) == version]
        mine = _interface_address(message)
        subnet = [other for other in here if _interface_address(other).network == mine.network]
        # An IPv4 address is known by address and length, an IPv6 address by itself.
        if any(_interface_address(other).ip == mine.ip for other in (subnet if version == 4 else here)):
            raise RequestFailed(errno.EEXIST)
        secondary = version == 4 and bool(subnet)
        preferred = (message.get("IFA_CACHEINFO") or _FOREVER)["ifa_preferred"]
        flags = _PERMANENT | (_SECONDARY if secondary else 0) | (0 if preferred else _DEPRECATED)
        header = {**message.header, "flags": flags, "scope": 0}
        told = ("IFA_LOCAL", "IFA_BROADCAST", "IFA_LABEL") if version == 4 else ()
        attributes = {"IFA_ADDRESS": str(mine.ip), **{name: message.get(name) for name in told if message.get(name)}}
        if message.get("IFA_PROTO") and self.keeps_tags:
            attributes["IFA_PROTO"] = message.get("IFA_PROTO")
        created = 0 if self.keeps_tags else len(self.sent)
        lifetime = {**_FOREVER, "ifa_preferred": preferred, "cstamp": created, "tstamp": created}
        stored = Message("address", header, {**attributes, "IFA_FLAGS": flags, "IFA_CACHEINFO": lifetime})
        place = len(self.addresses)
        if version == 4 and not secondary:
            # Behind the last primary of its interface, and in front of all secondaries.
            secondaries = [at for at, other in enumerate(self.addresses) if other in here and _is_secondary(other)]
            place = min(secondaries, default=place)
        self.addresses.insert(place, stored)
        self._connect(stored)

    def _change_lifetime(self, message: Message) -> None:
        mine = _interface_address(message)
        (at,) = [
            at
            for at, other in enumerate(self.addresses)
            if _interface_address(other) == mine and other.header["index"] == message.header["index"]
        ]
        preferred = (message.get("IFA_CACHEINFO") or _FOREVER)["ifa_preferred"]
        changed = _with_flags(self.addresses[at], _PERMANENT | (0 if preferred else _DEPRECATED))
        lifetime = {**changed.get("IFA_CACHEINFO"), "ifa_preferred": preferred}
        attributes = {**changed.attributes, "IFA_CACHEINFO": lifetime}
        self.addresses[at] = Message("address", changed.header, attributes)

    def _remove_address(self, message: Message) -> None:
        mine = _interface_address(message)
        found = [
            other
            for other in self._on(message.header["index"])
            if _interface_address(other) == mine and message.get("IFA_LABEL") in (None, other.get("IFA_LABEL"))
        ]
        if not found:
            raise RequestFailed(errno.EADDRNOTAVAIL)
        if _version(message) == 6:
            self._drop_ipv6(found[0])
        else:
            self._drop_ipv4(found[0])

    def _drop_ipv4(self, gone: Message) -> None:
        index = gone.header["index"]
        self.addresses.remove(gone)
        secondaries = [
            other
            for other in self._on(index)
            if _version(other) == 4
            and _is_secondary(other)
            and _interface_address(other).network == _interface_address(gone).network
        ]
        self._disconnect(gone)
        if _is_secondary(gone):
            secondaries = []
        elif secondaries and self._promotes(index):
            heir = secondaries.pop(0)
            self.addresses.remove(heir)
            raised = _with_flags(heir, heir.header["flags"] & ~_SECONDARY)
            others = [at for at, m in enumerate(self.addresses) if m in self._on(index) and _is_secondary(m)]
            self.addresses.insert(min(others, default=len(self.addresses)), raised)
            self._connect(raised)
            secondaries = []
        for other in secondaries:
            self.addresses.remove(other)
        # fib_sync_down_addr: what has the address as its source goes, but only in the table main.
        sources = {str(_interface_address(message).ip) for message in (gone, *secondaries)}
        sources -= {str(_interface_address(message).ip) for message in self.addresses}
        self.routes = [m for m in self.routes if not (_table(m) == _MAIN and m.get("RTA_PREFSRC") in sources)]
        # fib_disable_ip: without an address an interface has no IPv4 at all, and a route needs a living next hop.
        alive = {message.header["index"] for message in self.addresses if _version(message) == 4} | {None}
        if index not in alive:
            self.routes = [
                m for m in self.routes if _version(m) == 6 or _leaves_by(m) & alive or index not in _leaves_by(m)
            ]

    def _drop_ipv6(self, gone: Message) -> None:
        self.addresses.remove(gone)
        subnet = _interface_address(gone).network
        if all(_interface_address(other).network != subnet for other in self._on(gone.header["index"])):
            self._disconnect(gone)
        source = str(_interface_address(gone).ip)
        if all(str(_interface_address(other).ip) != source for other in self.addresses):
            self.routes = [_without(m, "RTA_PREFSRC") if m.get("RTA_PREFSRC") == source else m for m in self.routes]

    def _on(self, index: int) -> list[Message]:
        return [message for message in self.addresses if message.header["index"] == index]

    def _promotes(self, index: int) -> bool:
        assert self.settings is not None, "this test removes a primary address: give the fake kernel its settings"
        name = next(name for name, number in INTERFACES.items() if number == index)
        return (self.settings / name / "promote_secondaries").read_text().strip() == "1"

    def _connect(self, address: Message) -> None:
        """Add the route to the network of a primary address."""
        network = _interface_address(address).network
        if _is_secondary(address) or (_version(address) == 4 and network.prefixlen == 32):
            return
        route = _connected(address)
        if not any(_route_key(other) == _route_key(route) for other in self.routes):
            self.routes.append(route)

    def _disconnect(self, address: Message) -> None:
        if not _is_secondary(address):
            self.routes = [m for m in self.routes if repr(m) != repr(_connected(address))]

    # Routes: Linux net/ipv4/fib_trie.c, fib_semantics.c, net/ipv6/route.c

    def _add_route(self, operation: str, message: Message) -> None:
        stored = self._resolved(message)
        same = [at for at, other in enumerate(self.routes) if _route_key(other) == _route_key(stored)]
        if same and operation == "add":
            raise RequestFailed(errno.EEXIST)
        if same:
            self.routes[same[0]] = stored
        else:
            self.routes.append(stored)

    def _remove_route(self, message: Message) -> None:
        wanted = self._resolved(message, check=False)
        for at, other in enumerate(self.routes):
            if repr(other) == repr(wanted):
                del self.routes[at]
                return
        raise RequestFailed(errno.ESRCH)

    def _resolved(self, message: Message, check: bool = True) -> Message:
        """Return a route as the kernel will list it: with the interface that it finds, its defaults filled in."""
        version, attributes = _version(message), {n: v for n, v in message.attributes.items() if n != "RTA_PREF"}
        table = _table(message)
        header = {**message.header, "table": table if table < 256 else 252, "flags": message.header["flags"] & _ONLINK}
        if version == 6:
            attributes["RTA_PRIORITY"] = attributes.get("RTA_PRIORITY") or 1024
            header["scope"] = 0
            if header["type"] != 1:
                attributes["RTA_OIF"] = INTERFACES["lo"]
        if header["type"] == 1:
            if "RTA_MULTIPATH" in attributes:
                attributes["RTA_MULTIPATH"] = [self._hop(hop, table, check) for hop in attributes["RTA_MULTIPATH"]]
            elif "RTA_GATEWAY" in attributes and not header["flags"] & _ONLINK:
                found = self._link_to(attributes["RTA_GATEWAY"], attributes.get("RTA_OIF"), table, check)
                attributes["RTA_OIF"] = found
        source = attributes.get("RTA_PREFSRC")
        if check and source and all(str(_interface_address(other).ip) != source for other in self.addresses):
            raise RequestFailed(errno.EINVAL)
        return Message("route", header, dict(sorted(attributes.items())))

    def _hop(self, hop: Mapping[str, Any], table: int, check: bool) -> dict[str, Any]:
        gateway = dict(hop["attrs"]).get("RTA_GATEWAY")
        index = self._link_to(gateway, hop["oif"] or None, table, check) if gateway else hop["oif"]
        return {"flags": 0, "hops": hop["hops"], "oif": index, "attrs": list(hop["attrs"])}

    def _link_to(self, gateway: str, index: int | None, table: int, check: bool) -> int | None:
        """Return the interface by which a gateway is a neighbour."""
        address = ipaddress.ip_address(gateway)
        if not check or (address.version == 6 and address.is_link_local):
            return index
        # In the route's own table first.
        found = self._on_link(address, index, table) or self._on_link(address, index, _MAIN)
        if not found:
            raise RequestFailed(errno.ENETUNREACH if address.version == 4 else errno.EHOSTUNREACH)
        return int(max(found)[1])

    def _on_link(self, address: Any, index: int | None, table: int) -> list[tuple[int, int]]:
        """Return ``(prefix length, interface)`` of each route of a table by which an address is a neighbour."""
        return [
            (_destination(route).prefixlen, route.get("RTA_OIF"))
            for route in self.routes
            if _table(route) == table
            and index in (None, route.get("RTA_OIF"))
            and route.header["type"] == 1
            and not {"RTA_GATEWAY", "RTA_MULTIPATH"} & set(route.attributes)
            and address in _destination(route)
        ]


def _is_selected(message: Message, only: RouteFilter) -> bool:
    destination = message.get("RTA_DST")
    packed = (ipaddress.ip_address(destination).packed if destination else b"", message.header["dst_len"])
    return (
        only.family in (None, message.header["family"])
        and only.table in (None, _table(message))
        and only.protocol in (None, message.header["proto"])
        and (only.destinations is None or packed in only.destinations)
    )


def _version(message: Message) -> int:
    return rtnetlink_mapping.VERSION[message.header["family"]]


def _table(message: Message) -> int:
    return int(message.get("RTA_TABLE", message.header["table"]))


def _destination(message: Message) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    everything = "0.0.0.0" if _version(message) == 4 else "::"
    return ipaddress.ip_network(f"{message.get('RTA_DST', everything)}/{message.header['dst_len']}")


def _is_secondary(message: Message) -> bool:
    return bool(message.header["flags"] & _SECONDARY)


def _interface_address(message: Message) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    text = message.get("IFA_LOCAL") or message.get("IFA_ADDRESS")
    return ipaddress.ip_interface(f"{text}/{message.header['prefixlen']}")


def _with_flags(message: Message, flags: int) -> Message:
    return Message("address", {**message.header, "flags": flags}, {**message.attributes, "IFA_FLAGS": flags})


def _without(message: Message, name: str) -> Message:
    return Message(message.kind, message.header, {k: v for k, v in message.attributes.items() if k != name})


def _route_key(message: Message) -> tuple[Any, ...]:
    # The protocol is no part of it, nor is the type.
    header = message.header
    return header["family"], _table(message), message.get("RTA_DST"), header["dst_len"], message.get("RTA_PRIORITY", 0)


def _leaves_by(message: Message) -> set[int | None]:
    return {hop["oif"] for hop in message.get("RTA_MULTIPATH", ())} or {message.get("RTA_OIF")}


def _connected(address: Message) -> Message:
    """Return the route that the kernel adds with an address."""
    mine = _interface_address(address)
    version = _version(address)
    header = {
        "family": address.header["family"],
        "dst_len": mine.network.prefixlen,
        "src_len": 0,
        "tos": 0,
        "table": _MAIN,
        "proto": _KERNEL,
        "scope": _LINK if version == 4 else 0,
        "type": 1,
        "flags": 0,
    }
    attributes: dict[str, Any] = {"RTA_DST": str(mine.network.network_address), "RTA_OIF": address.header["index"]}
    attributes.update({"RTA_PREFSRC": str(mine.ip)} if version == 4 else {"RTA_PRIORITY": 256})
    return Message("route", header, dict(sorted({**attributes, "RTA_TABLE": _MAIN}.items())))
