# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Throw-away hosts for tests: each has its own network, /run, /etc and /var/lib; no root needed, nothing is left.

    with Hosts("client", "firewall") as hosts:
        hosts.link("client", "eth0", "firewall", "wan0")
        hosts["client"].run("ip", "address", "add", "203.0.113.9/24", "dev", "eth0")

A host is held by a process that waits for the end of its standard input, a pipe from the test. When the
test ends, also by kill -9, the kernel closes the pipe, the holder ends, and its namespaces with it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from types import TracebackType
from typing import Any

# An ordinary user's PATH leaves out where ip, nft and sysctl are.
_ENVIRONMENT = dict(os.environ, PATH=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")

_WRITTEN = {"/etc": ("iproute2/rt_protos.d", "iproute2/rt_tables.d"), "/var/lib": ()}


class Host:
    """One host. ``prefix`` put in front of a command runs it there."""

    def __init__(self, name: str, holder: subprocess.Popen[str], user_namespace: bool) -> None:
        self.name = name
        self.pid = holder.pid
        self._holder = holder
        self._children: list[subprocess.Popen[str]] = []
        user = ["--user", "--preserve-credentials"] if user_namespace else []
        self.prefix: list[str] = ["nsenter", "--target", str(self.pid), *user, "--net", "--mount"]

    def run(
        self, *command: str, feed: str | None = None, check: bool = True, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the host to its end; ``feed`` is its standard input.

        With ``check``, a command that fails raises AssertionError with its output.
        """
        done = subprocess.run(
            [*self.prefix, *command],
            input=feed,
            stdin=subprocess.DEVNULL if feed is None else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            env=_ENVIRONMENT,
        )
        if check and done.returncode:
            shown = f"{' '.join(command)} on {self.name}: exit {done.returncode}"
            raise AssertionError(f"{shown}\n{done.stdout}{done.stderr}")
        return done

    def start(self, *command: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command on the host, killed with the host and with the test. ``options`` are Popen's."""
        options = {"stdin": subprocess.DEVNULL, "text": True, "env": _ENVIRONMENT, **options}
        # nsenter and setpriv replace themselves by the command, so that the process is the command itself.
        child: subprocess.Popen[str] = subprocess.Popen(
            [*self.prefix, "setpriv", "--pdeathsig", "KILL", *command], **options
        )
        self._children.append(child)
        return child

    def address(self, interface: str, *addresses: str) -> None:
        """Give an interface its addresses (with prefix length) and bring it up."""
        lines = [f"link set dev {interface} up"]
        for address in addresses:
            detection = " nodad" if ":" in address else ""
            lines.append(f"address add {address} dev {interface}{detection}")
        self.run("ip", "-batch", "-", feed="\n".join(lines) + "\n")

    def sysctl(self, **values: int) -> None:
        """Set kernel settings; ``net__ipv4__ip_forward=1`` sets net/ipv4/ip_forward."""
        self.run("sysctl", "-q", "-w", *(f"{name.replace('__', '/')}={value}" for name, value in values.items()))

    def close(self) -> None:
        """End everything started on the host and the host itself."""
        for child in self._children:
            child.kill()
            if child.stdout is not None and child.stdout.closed:
                child.wait()  # a test has read it to its end
            else:
                child.communicate()
        self._holder.communicate(timeout=10)


class Hosts:
    """A context manager that makes hosts, without any link, with loopback up; ``hosts["name"]`` gives one."""

    def __init__(self, *names: str, user_namespace: bool | None = None) -> None:
        self.names = names
        # Root does without a user namespace, which some containers forbid; anybody else needs one.
        self.user_namespace = os.geteuid() != 0 if user_namespace is None else user_namespace
        self._hosts: dict[str, Host] = {}

    def __enter__(self) -> Hosts:
        """Make the hosts; RuntimeError when the system forbids it."""
        try:
            for name in self.names:
                self._make(name)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all hosts and all that was started on them."""
        while self._hosts:
            self._hosts.popitem()[1].close()

    def __getitem__(self, name: str) -> Host:
        """Return the host of this name."""
        return self._hosts[name]

    def _make(self, name: str) -> None:
        # All hosts share the first one's user namespace: a link between two of them needs rights on both.
        if self._hosts:
            enter: Sequence[str] = next(iter(self._hosts.values())).prefix
            user: Sequence[str] = []
        else:
            enter = []
            user = ["--user", "--map-root-user"] if self.user_namespace else []
        holder = subprocess.Popen(
            [*enter, "unshare", *user, "--net", "--mount", "cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=_ENVIRONMENT,
        )
        assert holder.stdin is not None
        assert holder.stdout is not None
        # What comes back says that the namespaces are there: cat runs only then.
        try:
            holder.stdin.write("\n")
            holder.stdin.flush()
            ready = holder.stdout.readline()
        except BrokenPipeError:
            ready = ""
        if not ready:
            holder.stdin = None
            raise RuntimeError(
                f"cannot make namespaces: {holder.communicate()[1].strip()}; run as root, or allow "
                "unprivileged user namespaces (kernel.unprivileged_userns_clone=1, "
                "kernel.apparmor_restrict_unprivileged_userns=0)"
            )
        host = self._hosts[name] = Host(name, holder, self.user_namespace)
        host.run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run")
        host.run("ip", "link", "set", "dev", "lo", "up")
        # Directories that modules write to are made above, so that an ordinary user owns them in his namespace.
        for place, written in _WRITTEN.items():
            above, work = f"/run/above{place}", f"/run/work{place}"
            host.run("mkdir", "-p", above, work, *(f"{above}/{directory}" for directory in written))
            options = f"lowerdir={place},upperdir={above},workdir={work}"
            host.run("mount", "-t", "overlay", "-o", options, "overlay", place)

    def link(self, one: str, interface: str, other: str, other_interface: str) -> None:
        """Join two hosts by a cable (a veth pair); give both ends addresses with Host.address()."""
        peer = ["peer", "name", other_interface, "netns", str(self[other].pid)]
        self[one].run("ip", "link", "add", "name", interface, "type", "veth", *peer)
