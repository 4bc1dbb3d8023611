# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that holds a lab: `python3 -m tests.lab.holder SOCKET STORE USER OPTIONS`, started by Lab.up.

It is the init of a PID namespace, so that the kernel ends every process of the lab with it, and with them go
the network and mount namespaces: nothing needs to be taken down in order. Until the builder says that the
lab is complete, holder and builder are tied together by parent-death signals, so that a builder that is
killed half-way leaves nothing.

What it says on SOCKET (a sequenced-packet socket whose receiver asks for credentials, so that the kernel
translates each sender's process id): `{"host": "web1"}` once per host that is ready, `{"host": ""}` for
itself, or `{"error": "…"}`. The builder answers `complete`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from . import linux, network, rootfs, state, topology
from .topology import Host, Topology

LOG_DIRECTORY = Path("/var/log/multihome-lab")
_LINKS_TIMEOUT = 10.0  # seconds


def main() -> None:
    """Enter the lab's namespaces and hold them."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    store, user_namespace = Path(sys.argv[2]), sys.argv[3] == "user"
    plan = topology.build(topology.choose(**json.loads(sys.argv[4])))
    os.environ["PATH"] = state.SYSTEM_PATH
    uid, gid = os.getuid(), os.getgid()
    try:
        linux.unshare(linux.HOST_NAMESPACES | (linux.CLONE_NEWUSER if user_namespace else 0))
        if user_namespace:
            linux.map_root_user(uid, gid)
    except OSError as error:
        _report(channel, error=str(error))
        sys.exit(1)
    linux.die_with_parent()
    tie, parent_tie = os.pipe()
    if os.fork():
        # The builder's child: it lives until the lab is complete, and takes the holder along if it is killed.
        os.close(parent_tie)
        channel.close()
        os.read(tie, 1)
        os._exit(0)
    linux.die_with_parent()
    os.close(tie)
    os.umask(0o022)
    _guarded(channel, lambda: _hold(channel, parent_tie, store, user_namespace, plan))


def _report(channel: socket.socket, **message: str) -> None:
    channel.send(json.dumps(message).encode())


def _guarded(channel: socket.socket, work: Callable[[], None]) -> NoReturn:
    """Run `work`; tell the builder of any failure; never return."""
    try:
        work()
    except Exception as error:  # whatever it is, the builder has to hear of it
        traceback.print_exc()
        with contextlib.suppress(OSError):
            _report(channel, error=f"{type(error).__name__}: {error}"[:4000])
    sys.stderr.flush()
    os._exit(1)


def _hold(channel: socket.socket, tie: int, store: Path, user_namespace: bool, plan: Topology) -> None:
    """Build everything, report, wait for `complete`, then only reap."""
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    visible = (state.CHECKOUT, Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent)
    layers = rootfs.prepare(store, user_namespace, visible)
    pipes = {host.name: _start_host(channel, host, layers, plan) for host in plan.hosts.values()}
    pids = {}
    for host, (pid_pipe, _go_pipe) in pipes.items():
        pids[host] = int(os.read(pid_pipe, 20) or b"0")
        if not pids[host]:
            raise state.LabError(f"host {host} did not start")
        os.close(pid_pipe)
    _batch(network.cables(plan, pids), "cables")
    for _pid_pipe, go_pipe in pipes.values():
        os.write(go_pipe, b"g")
        os.close(go_pipe)
    _report(channel, host="")
    if channel.recv(100) != b"complete":
        return
    linux.die_with_parent(on=False)
    os.write(tie, b"c")
    os.close(tie)
    channel.close()
    _reap_for_ever()


def _start_host(channel: socket.socket, host: Host, layers: rootfs.Layers, plan: Topology) -> tuple[int, int]:
    """Start a host; return a pipe to read its process id from (in our namespace), and one to let it go on by."""
    pid_read, pid_write = os.pipe()
    go_read, go_write = os.pipe()
    if os.fork() == 0:
        os.close(pid_read)
        os.close(go_write)
        _guarded(channel, lambda: _split_host(channel, host, layers, plan, pid_write, go_read))
    os.close(pid_write)
    os.close(go_read)
    return pid_read, go_write


def _split_host(
    channel: socket.socket, host: Host, layers: rootfs.Layers, plan: Topology, pid_write: int, go_read: int
) -> None:
    linux.unshare(linux.HOST_NAMESPACES)
    # Interfaces take their settings from `default` when they appear: it has to be right before the cables come.
    _set(network.settings_before(host))
    pid = os.fork()
    if pid:
        os.write(pid_write, b"%d" % pid)
        os._exit(0)
    os.close(pid_write)
    _guarded(channel, lambda: _run_host(channel, host, layers, plan, go_read))


def _run_host(channel: socket.socket, host: Host, layers: rootfs.Layers, plan: Topology, go_read: int) -> None:
    """The init of one host."""
    socket.sethostname(host.name)
    Path("/proc/self/comm").write_text(host.name, encoding="ascii")  # what ps shows
    rootfs.enter(host.name, layers)
    _write_names(host, plan)
    if os.read(go_read, 1) != b"g":
        raise state.LabError(f"host {host.name} was not connected")
    os.close(go_read)
    _batch(network.addressing(host), host.name)
    if host.customer:
        _run(["nft", "-f", "-"], network.source_filter(host), host.name)
    _wait_for_links(host)
    _set(network.settings_after(host))
    if plan.options.web and host.role in ("server", "client"):
        _start_web_server()
    _report(channel, host=host.name)
    channel.close()
    _reap_for_ever()


def _set(settings: list[tuple[str, int]]) -> None:
    for name, value in settings:
        Path("/proc/sys/net", name).write_text(str(value), encoding="ascii")


def _batch(commands: str, where: str) -> None:
    _run(["ip", "-batch", "-"], commands, where)


def _run(command: list[str], text: str, where: str) -> None:
    result = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if result.returncode:
        raise state.LabError(f"{where}: {' '.join(command)}: {result.stderr.strip()}")


def _wait_for_links(host: Host) -> None:
    """Wait until the kernel has taken notice of every carrier, a moment after both ends of the cables are up."""
    ports = {port for interface in host.interfaces for port in interface.ports}
    deadline = time.monotonic() + _LINKS_TIMEOUT
    for interface in host.interfaces:
        while not _is_ready(interface.name, link_local=interface.name not in ports):
            if time.monotonic() > deadline:
                raise state.LabError(f"{host.name}: {interface.name} does not come up")
            time.sleep(0.005)


def _is_ready(interface: str, link_local: bool) -> bool:
    """Whether an interface is up and, where `link_local`, has the address that IPv6 asks its neighbours from."""
    if Path("/sys/class/net", interface, "operstate").read_text(encoding="ascii") != "up\n":
        return False
    # Address, index, prefix length, scope, flags, name; link scope is 20, the flag of a tentative address 40.
    rows = [line.split() for line in Path("/proc/net/if_inet6").read_text(encoding="ascii").splitlines()]
    return not link_local or any(
        name == interface and scope == "20" and not int(flags, 16) & 0x40
        for _address, _index, _length, scope, flags, name in rows
    )


def _write_names(host: Host, plan: Topology) -> None:
    """Let the hosts know each other by name, and nobody ask a name server: there is none in the lab."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    for other in plan.hosts.values():
        addresses = [address for interface in other.interfaces for address in interface.addresses]
        lines += [f"{address.split('/')[0]} {other.name}" for address in addresses]
    _replace(Path("/etc/hosts"), "\n".join(lines) + "\n")
    _replace(Path("/etc/hostname"), host.name + "\n")
    switch = Path("/etc/nsswitch.conf")
    text = switch.read_text(encoding="utf-8") if switch.exists() else "hosts: files\n"
    _replace(switch, re.sub(r"(?m)^hosts:.*$", "hosts: files", text))


def _replace(path: Path, text: str) -> None:
    """Put a file in the place of another, which an ordinary user's host may not write to."""
    new = path.with_name(path.name + ".lab")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def _start_web_server() -> None:
    """Start the host's web server and wait until it listens."""
    LOG_DIRECTORY.mkdir(exist_ok=True)
    ready_read, ready_write = os.pipe()
    script = Path(__file__).with_name("webserver.py")
    own_log = LOG_DIRECTORY / "webserver.log"
    with own_log.open("w", encoding="utf-8") as log:
        subprocess.Popen(
            [sys.executable, str(script), "--log", str(LOG_DIRECTORY / "access.log"), "--ready", str(ready_write)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[ready_write],
            env=state.host_environment(),
        )
    os.close(ready_write)
    if os.read(ready_read, 1) != b"r":
        raise state.LabError(f"the web server did not start: {own_log.read_text(encoding='utf-8').strip()}")
    os.close(ready_read)


def _reap_for_ever() -> NoReturn:
    """Do what an init must: wait for whoever ends."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    while True:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        signal.sigwait([signal.SIGCHLD])


if __name__ == "__main__":
    main()
