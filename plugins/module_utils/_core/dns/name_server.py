# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name server of a host (Knot DNS): its zones from a module's options, and the texts of its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..entries import Faults, Options, objects, parse_fields, where
from ..errors import InvalidInput
from ..fields import choice, shown, unicast
from . import zone as dns_zone
from .keys import ALGORITHMS, Key
from .model import RecordSet
from .names import absolute, domain_name, is_in, zone_name

# Keepers update the zones here. Port 53 of loopback often belongs to a resolver.
LOOPBACK, LOOPBACK_PORT = "127.0.0.1", 5305
PORT = 53
DIRECTORY = "/etc/multihome/name_server"
CONFIGURATION = f"{DIRECTORY}/knot.conf"
RUNTIME = "/run/multihome-dns"
STATE = "/var/lib/multihome-dns"
NAME = "multihome-dns.service"
UNIT = f"/etc/systemd/system/{NAME}"
# Name servers and their addresses change rarely.
TTL = 3600
_MARKER = "# Written by multihome.linux, module name_server; changes are lost.\n"


@dataclass(frozen=True)
class NamedServer:
    """A name server as records have it."""

    name: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class ServedZone:
    """A zone, its name servers here, and the ``secondaries`` elsewhere that may transfer it.

    ``earlier`` is another key that the keeper of this host still uses.
    """

    name: str
    key: Key
    nameservers: tuple[NamedServer, ...]
    secondaries: tuple[NamedServer, ...] = ()
    records: tuple[RecordSet, ...] = ()
    earlier: Key | None = None

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys that may change the zone."""
        return (self.key, *([self.earlier] if self.earlier else []))

    @property
    def file(self) -> str:
        """The name of the zone's file."""
        return f"{self.name}.zone"

    def text(self) -> str:
        """Return the zone's file: what the server answers after it started, until a keeper publishes."""
        apex = absolute(self.name)
        servers = [*self.nameservers, *self.secondaries]
        first = absolute(servers[0].name)
        rows = [f"{apex} {TTL} IN SOA {first} hostmaster.{apex} 1 3600 600 604800 60"]
        rows += [f"{apex} {TTL} IN NS {name}" for name in sorted({absolute(each.name) for each in servers})]
        for each in servers:
            if is_in(each.name, self.name):
                rows += [
                    f"{absolute(each.name)} {TTL} IN {'AAAA' if ':' in value else 'A'} {value}"
                    for value in each.addresses
                ]
        rows += [
            f"{absolute(each.domain)} {each.ttl} IN {each.type} {value}"
            for each in self.records
            for value in each.values
        ]
        return _MARKER.replace("#", ";") + "\n".join(rows) + "\n"


@dataclass(frozen=True)
class NameServer:
    """What the server of this host answers for, and the addresses that it answers at."""

    listen: tuple[str, ...] = ()
    zones: tuple[ServedZone, ...] = ()

    def addresses(self) -> list[str]:
        """Return where the server listens, as its configuration has it."""
        return [f"{LOOPBACK}@{LOOPBACK_PORT}", *(f"{address}@{PORT}" for address in self.listen)]

    def configuration(self, zones_in: str) -> str:
        """Return the text of the configuration; ``zones_in`` is the directory with the zones' files."""
        rows = ["server:", f'  rundir: "{RUNTIME}"', f"  listen: [{_quoted(self.addresses())}]", '  version: ""']
        rows += ["  udp-workers: 1", "  tcp-workers: 2", "  background-workers: 1"]
        rows += ["log:", "  - target: stderr", "    any: info"]
        rows += ["database:", f'  storage: "{STATE}"', "  journal-db-max-size: 64M", "key:"]
        earlier = {zone.earlier.name: zone.earlier for zone in self.zones if zone.earlier}
        for key in {**earlier, **{zone.key.name: zone.key for zone in self.zones}}.values():
            rows += [f'  - id: "{key.name}"', f"    algorithm: {key.algorithm}", f'    secret: "{key.secret}"']
        secondaries = [zone for zone in self.zones if zone.secondaries]
        rows += ["remote:"] if secondaries else []
        for zone in secondaries:
            addresses = [f"{address}@{PORT}" for each in zone.secondaries for address in each.addresses]
            rows += [f'  - id: "secondaries {zone.name}"', f"    address: [{_quoted(addresses)}]"]
        rows.append("acl:")
        for zone in self.zones:
            rows += [f'  - id: "publish {zone.name}"', f"    address: {LOOPBACK}"]
            rows += [f"    key: [{_quoted([key.name for key in zone.keys])}]"]
            rows += ["    action: update", "    update-type: [A, AAAA, TXT]"]
            if zone.secondaries:
                addresses = [address for each in zone.secondaries for address in each.addresses]
                rows += [
                    f'  - id: "transfer {zone.name}"',
                    f"    address: [{_quoted(addresses)}]",
                    "    action: transfer",
                ]
        rows.append("zone:")
        for zone in self.zones:
            rows += [f'  - domain: "{zone.name}"', f'    storage: "{zones_in}"', f'    file: "{zone.file}"']
            # The file is this collection's alone; what keepers publish is in the journal. By the time of the change a
            # secondary knows the newer one of two servers that are fed apart.
            rows += ["    zonefile-sync: -1", "    zonefile-load: difference-no-serial", "    journal-content: all"]
            allowed = [f"publish {zone.name}", *([f"transfer {zone.name}"] if zone.secondaries else [])]
            rows += ["    serial-policy: unixtime", f"    acl: [{_quoted(allowed)}]"]
            rows += [f'    notify: "secondaries {zone.name}"'] if zone.secondaries else []
        return _MARKER + "\n".join(rows) + "\n"


def unit_text(server: NameServer, knotd: str, knotc: str) -> str:
    """Return the unit. It copies the files to where the server's user can read them: those in /etc are root's."""
    files = " ".join(f"{DIRECTORY}/{name}" for name in ("knot.conf", *(zone.file for zone in server.zones)))
    # With their times: Knot DNS reads a zone's file again when its time differs, and answers with all lines then.
    copy = f"+/usr/bin/install -p -o knot -g knot -m 0400 -t {RUNTIME} {files}"
    return f"""\
{_MARKER}[Unit]
Description=Name server of multihome.linux (Knot DNS)
After=network.target
StartLimitIntervalSec=0

[Service]
Type=notify
User=knot
Group=knot
ExecStartPre={copy}
ExecStart={knotd} -c {RUNTIME}/knot.conf
ExecReload={copy}
ExecReload={knotc} -c {RUNTIME}/knot.conf reload
Restart=always
RestartSec=2
RuntimeDirectory=multihome-dns
RuntimeDirectoryMode=0750
StateDirectory=multihome-dns
StateDirectoryMode=0750
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_SETPCAP
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK

[Install]
WantedBy=multi-user.target
"""


def parse(options: Options) -> NameServer:
    """Return the server of a module's options; raises InvalidInput with every fault, and no secret in it."""
    faults = Faults()
    listen = faults.take(lambda: _addresses(options.get("listen"), "listen"))
    secrets = options.get("key_secrets") or {}
    zones = faults.take(lambda: _zones(options.get("zones"), secrets))
    faults.refuse()
    return NameServer(listen.value, zones.value)


def _zones(value: object, secrets: Mapping[str, Any]) -> tuple[ServedZone, ...]:
    if not isinstance(value, (list, tuple, type(None))):
        raise InvalidInput([f"zones: not a list but {type(value).__name__}"])
    faults: list[str] = []
    found: dict[str, ServedZone] = {}
    for index, item in enumerate(value or ()):
        place = where("zones", index, item, "zone")
        try:
            zone = _zone(item, secrets)
        except InvalidInput as error:
            faults += [f"{place}: {fault}" for fault in error.faults]
            continue
        if zone.name in found:
            faults.append(f"{place}: two entries for one zone {zone.name}; keep one of them")
        found[zone.name] = zone
    if faults:
        raise InvalidInput(faults)
    return tuple(found.values())


def _zone(item: object, secrets: Mapping[str, Any]) -> ServedZone:
    values, wrong = parse_fields(item, _ZONE_FIELDS, "zone", required=("zone", "key_name", "nameservers"))
    faults = Faults(wrong)
    nameservers = faults.take(lambda: _servers(values.get("nameservers"), "nameservers"))
    secondaries = faults.take(lambda: _servers(values.get("secondaries"), "secondaries"))
    key_name = values.get("key_name")
    settings = {
        "zone": values.get("zone") or "example",
        "servers": [LOOPBACK],
        "key_name": key_name,
        "key_algorithm": values.get("key_algorithm"),
        "key_secret": secrets.get(str(key_name)) if key_name else None,
        "records": values.get("records") if values.get("zone") else None,
    }
    parsed = faults.take(lambda: dns_zone.parse(settings))
    faults.refuse()
    zone, records = parsed.value
    if zone.key is None or not nameservers.value:
        raise InvalidInput(["nameservers: needs at least one name server of this zone"])
    lacking = [each.name for each in nameservers.value if not is_in(each.name, zone.name)]
    if lacking:
        remedy = "one elsewhere belongs in secondaries"
        raise InvalidInput([f"nameservers: {lacking[0]} is not in the zone {zone.name}; {remedy}"])
    return ServedZone(zone.name, zone.key, nameservers.value, secondaries.value, tuple(objects(records)))


_ZONE_FIELDS = {
    "zone": zone_name,
    "key_name": domain_name,
    "key_algorithm": choice(*ALGORITHMS),
    "nameservers": lambda value: value,
    "secondaries": lambda value: value,
    "records": lambda value: value,
}


def _servers(value: object, called: str) -> tuple[NamedServer, ...]:
    if not isinstance(value, (list, tuple, type(None))):
        raise InvalidInput([f"{called}: not a list but {type(value).__name__}"])
    faults: list[str] = []
    found: list[NamedServer] = []
    parsers = {"name": domain_name, "addresses": _unicasts}
    for index, item in enumerate(value or ()):
        values, wrong = parse_fields(item, parsers, "name", required=("name", "addresses"))
        faults += [f"{where(called, index, item, 'name')}: {fault}" for fault in wrong]
        if not wrong:
            found.append(NamedServer(**values))
    if faults:
        raise InvalidInput(faults)
    return tuple(found)


def _unicasts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError("not a list of at least one address")
    found = []
    for each in value:
        try:
            found.append(unicast(each))
        except ValueError as error:
            raise ValueError(f"{shown(each)}: {error}") from None
    return tuple(dict.fromkeys(found))


def _addresses(value: object, called: str) -> tuple[str, ...]:
    try:
        return _unicasts(value) if value else ()
    except ValueError as error:
        raise InvalidInput([f"{called}: {error}"]) from None


def _quoted(values: Sequence[str]) -> str:
    return ", ".join(f'"{value}"' for value in values)
