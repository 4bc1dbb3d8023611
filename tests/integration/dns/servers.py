# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real name servers on throw-away hosts: Knot, BIND and PowerDNS, and the resolver Unbound.

`make setup` unpacks Debian's packages below .cache/dns; nothing is installed, and no service starts.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.multihome.linux.tests.integration.namespaces import Host
from ansible_collections.multihome.linux.tests.lab.waiting import eventually

ROOT = Path(__file__).resolve().parents[3]
UNPACKED = ROOT / ".cache" / "dns"
ZONE = "svc.example.com"
NAMES = ("knot", "bind", "powerdns")
# Loads everywhere within a second; a busy machine may need more.


@dataclass(frozen=True)
class TestKey:
    """A TSIG key of a server."""

    __test__ = False

    name: str = "multihome-web1"
    algorithm: str = "hmac-sha256"
    secret: str = "c2VjcmV0LW9mLXRoZS10ZXN0cy1vbmx5LTAxMjM0NTY3ODk="

    def options(self) -> dict[str, str]:
        """Return the key as options of the module."""
        return {"key_name": self.name, "key_algorithm": self.algorithm, "key_secret": self.secret}


KEY = TestKey()
# Known to every server, but not allowed to change the zone.
STRANGER = TestKey(name="stranger", secret="YW5vdGhlci1zZWNyZXQtb2YtdGhlLXRlc3RzLTAxMjM0NTY=")
RECORDS = (
    f"{ZONE}. 60 IN SOA ns1.{ZONE}. hostmaster.{ZONE}. 1 3600 600 604800 60",
    f"{ZONE}. 60 IN NS ns1.{ZONE}.",
    f"ns1.{ZONE}. 60 IN A 192.0.2.53",
    f"mail.{ZONE}. 60 IN A 192.0.2.25",
    f'www.{ZONE}. 60 IN TXT "of another program"',
    f'www.{ZONE}. 60 IN CAA 0 issue "ca.example.net"',
    f"alias.{ZONE}. 60 IN CNAME mail.{ZONE}.",
    f"sub.{ZONE}. 60 IN NS ns.example.net.",
    f"*.wild.{ZONE}. 60 IN A 192.0.2.98",
    f"*.aliases.{ZONE}. 60 IN CNAME mail.{ZONE}.",
    f"*.foreign.{ZONE}. 60 IN A 192.0.2.97",
)


def programs() -> dict[str, str]:
    """Return the environment in which the unpacked programs find their libraries."""
    places = [str(path) for path in UNPACKED.glob("usr/lib/*-linux-gnu")]
    return {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(places)}


def program(name: str) -> str:
    """Return the path of an unpacked program; raises FileNotFoundError."""
    for directory in ("usr/sbin", "usr/bin"):
        if (path := UNPACKED / directory / name).exists():
            return str(path)
    if installed := shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"):
        return installed
    raise FileNotFoundError(f"{name} is not in {UNPACKED}: run make setup")


@dataclass(frozen=True)
class Programs:
    """Where the programs of servers are: unpacked by `make setup`, of this machine's own release."""

    root: Path = UNPACKED

    def command(self, name: str) -> list[str]:
        """Return the command that runs a program; raises FileNotFoundError."""
        return [program(name)]


@dataclass
class NameServer:
    """A server of the zone on a host, at ``address``. ``keys`` may change it, ``known`` are only known to it."""

    host: Host
    directory: Path
    address: str = "127.0.0.1"
    zone: str = ZONE
    records: Sequence[str] = RECORDS
    keys: Sequence[TestKey] = (KEY,)
    known: Sequence[TestKey] = (STRANGER,)
    programs: Programs = Programs()
    process: subprocess.Popen[str] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "log").open("w") as log:
            self.process = self.host.start(*self._command(), env=programs(), stdout=log, stderr=subprocess.STDOUT)
        eventually(lambda: bool(self.ask(self.zone, "SOA")), self.log)

    def stop(self) -> None:
        """Kill the server."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def log(self) -> str:
        """Return the server's messages."""
        return (self.directory / "log").read_text()

    def ask(self, name: str, kind: str, server: str = "") -> list[str]:
        """Return what the server answers, one value each; of SOA only the serial."""
        values = dig(self.host, name, kind, server or self.address)
        return [value.split()[2] for value in values] if kind == "SOA" else values

    def serial(self) -> int:
        """Return the serial number of the zone."""
        return int(self.ask(self.zone, "SOA")[0])

    def allow(self, keys: Sequence[TestKey]) -> None:
        """Restart with other keys that may change the zone; the zone's content is lost."""
        self.stop()
        self.keys = keys
        self.start()

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text)
        return path


class Knot(NameServer):
    """Knot DNS."""

    def _command(self) -> list[str]:
        zone = self._write("zone", "\n".join(self.records) + "\n")
        shutil.rmtree(self.directory / "db", ignore_errors=True)
        (self.directory / "db").mkdir()
        keys = "".join(
            f"  - id: {key.name}\n    algorithm: {key.algorithm}\n    secret: {key.secret}\n"
            for key in (*self.keys, *self.known)
        )
        allowed = ", ".join(key.name for key in self.keys)
        text = f"""server:
  rundir: "{self.directory}"
  listen: "{self.address}@53"
log:
  - target: stderr
    any: info
database:
  storage: "{self.directory}/db"
key:
{keys}acl:
  - id: publishers
    key: [{allowed}]
    action: update
zone:
  - domain: {self.zone}
    storage: "{self.directory}"
    file: "{zone}"
    zonefile-sync: -1
    zonefile-load: difference-no-serial
    journal-content: all
    acl: publishers
"""
        return [*self.programs.command("knotd"), "-c", str(self._write("knot.conf", text))]


class Bind(NameServer):
    """BIND."""

    def _command(self) -> list[str]:
        zone = self._write("zone", "\n".join(self.records) + "\n")
        Path(f"{zone}.jnl").unlink(missing_ok=True)
        keys = "".join(
            f'key "{key.name}" {{ algorithm {key.algorithm}; secret "{key.secret}"; }};\n'
            for key in (*self.keys, *self.known)
        )
        grants = " ".join(f'grant "{key.name}" zonesub A AAAA TXT;' for key in self.keys)
        text = f"""options {{
  directory "{self.directory}"; pid-file none; session-keyfile none;
  listen-on {{ {self.address}; }}; listen-on-v6 {{ none; }}; recursion no; dnssec-validation no;
  notify no; managed-keys-directory "{self.directory}"; tcp-clients 200;
}};
controls {{ }};
{keys}zone "{self.zone}" {{ type primary; file "{zone}"; update-policy {{ {grants} }}; }};
"""
        return [*self.programs.command("named"), "-g", "-n", "1", "-c", str(self._write("named.conf", text))]


class PowerDns(NameServer):
    """PowerDNS with SQLite."""

    def _command(self) -> list[str]:
        database = self.directory / "pdns.sqlite3"
        database.unlink(missing_ok=True)
        modules = next(self.programs.root.glob("usr/lib/*/pdns"))
        self._write(
            "pdns.conf",
            f"launch=gsqlite3\ngsqlite3-database={database}\nmodule-dir={modules}\nlocal-address={self.address}\n"
            f"socket-dir={self.directory}\ndnsupdate=yes\nallow-dnsupdate-from=0.0.0.0/0,::/0\n"
            "cache-ttl=0\nquery-cache-ttl=0\nnegquery-cache-ttl=0\nzone-cache-refresh-interval=0\n"
            "security-poll-suffix=\nreceiver-threads=1\nmax-tcp-connections=200\n",
        )
        lines = [f"INSERT INTO domains (id, name, type) VALUES (1, '{self.zone}', 'NATIVE');"]
        for record in self.records:
            name, ttl, _class, kind, content = record.split(maxsplit=4)
            # PowerDNS keeps names without the last dot.
            content = content if '"' in content else " ".join(word.removesuffix(".") for word in content.split())
            lines.append(
                "INSERT INTO records (domain_id, name, type, content, ttl, auth) VALUES "
                f"(1, '{name[:-1]}', '{kind}', '{content}', {ttl}, {int(not name.startswith('sub.'))});"
            )
        for key in (*self.keys, *self.known):
            lines.append(
                f"INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('{key.name}', '{key.algorithm}', "
                f"'{key.secret}');"
            )
        metadata = [("TSIG-ALLOW-DNSUPDATE", key.name) for key in self.keys] + [("SOA-EDIT-DNSUPDATE", "INCREASE")]
        lines += [
            f"INSERT INTO domainmetadata (domain_id, kind, content) VALUES (1, '{kind}', '{content}');"
            for kind, content in metadata
        ]
        self._create(database, lines)
        return [*self.programs.command("pdns_server"), f"--config-dir={self.directory}", "--daemon=no", "--guardian=no"]

    def _create(self, database: Path, lines: Sequence[str]) -> None:
        schema = next(self.programs.root.glob("usr/share/**/schema.sqlite3.sql")).read_text()
        with contextlib.closing(sqlite3.connect(database)) as connection:
            connection.executescript("PRAGMA synchronous=OFF;\n" + schema + "\n".join(lines))


KINDS: dict[str, type[NameServer]] = {"knot": Knot, "bind": Bind, "powerdns": PowerDns}


def dig(host: Host, name: str, kind: str, server: str, *more: str) -> list[str]:
    """Ask a server or a resolver for the values of a record set."""
    command = [program("dig"), f"@{server}", "+tcp", "+short", "+tries=1", "+time=5", *more, f"{name}.", kind]
    done = subprocess.run(
        [*host.prefix, *command], capture_output=True, text=True, check=False, timeout=60, env=programs()
    )
    return sorted(line for line in done.stdout.splitlines() if line and not line.startswith(";"))
