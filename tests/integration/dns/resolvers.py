# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resolvers that ask a zone's server themselves and keep its answers for their TTL: Unbound and BIND."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.multihome.linux.tests.lab.waiting import eventually

from ..namespaces import Host
from .servers import ZONE, Programs, dig, programs


def unbound(own: Programs, directory: Path, address: str, server: str) -> list[str]:
    """Return the command of Unbound, which answers at an address and asks the server."""
    path = directory / "unbound.conf"
    path.write_text(
        f"""server:
  directory: "{directory}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  interface: {address}
  access-control: 127.0.0.0/8 allow
  module-config: "iterator"
  do-not-query-localhost: no
  do-daemonize: no
remote-control:
  control-enable: no
stub-zone:
  name: "{ZONE}"
  stub-addr: {server}
"""
    )
    return [*own.command("unbound"), "-c", str(path)]


def bind(own: Programs, directory: Path, address: str, server: str) -> list[str]:
    """Return the command of BIND, which answers at an address and asks the server."""
    path = directory / "named.conf"
    path.write_text(
        f"""options {{
  directory "{directory}"; pid-file none; session-keyfile none; managed-keys-directory "{directory}";
  listen-on {{ {address}; }}; listen-on-v6 {{ none; }}; recursion yes; dnssec-validation no;
}};
controls {{ }};
zone "{ZONE}" {{ type static-stub; server-addresses {{ {server}; }}; }};
"""
    )
    return [*own.command("named"), "-g", "-n", "1", "-c", str(path)]


KINDS: dict[str, Callable[[Programs, Path, str, str], list[str]]] = {"unbound": unbound, "bind": bind}


@contextmanager
def resolver(
    host: Host, directory: Path, kind: str, address: str, server: str, own: Programs | None = None
) -> Iterator[None]:
    """Run a resolver on a host, until the context ends."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "log").open("w") as log:
        command = KINDS[kind](own or Programs(), directory, address, server)
        child = host.start(*command, env=programs(), stdout=log, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: dig(host, ZONE, "SOA", address) != [], (directory / "log").read_text)
        yield
    finally:
        child.kill()
        child.wait()
