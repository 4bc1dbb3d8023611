# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server with a line behind a gateway, without systemd, whose changes wait for a confirmation."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ansible_collections.multihome.linux.tests.lab.waiting import eventually

from ..namespaces import Host, Hosts
from ..run_module import run_module

CHECKPOINTS = "/var/lib/multihome/checkpoints"
PROGRAM = "/var/lib/multihome/programs/confirm-1"
STOPPING = Path(__file__).with_name("stopping")
# An earlier, confirmed deployment.
ALIASES = [{"address": "192.168.168.1/24", "interface": "eth0"}, {"address": "fd00:168::1/64", "interface": "eth0"}]
ROUTING: dict[str, Any] = {
    "tables": [{"id": 1001, "name": "line", "routes": [{"destination": "default", "gateway": "192.168.168.11"}]}],
    "rules": [{"priority": 23010, "source": "192.168.168.1", "table": 1001}],
    "interface_groups": [{"interface": "eth0", "group": 109}],
}
NAT = [
    {"type": "masquerade", "family": "ipv4", "out_interface": "eth0"},
    {
        "type": "dnat",
        "protocol": "tcp",
        "destination": "192.168.168.1",
        "destination_port": "80",
        "to_address": "10.0.0.1",
    },
]
MARKS = [{"mark": 1, "gateway": "192.168.168.11"}, {"mark": 2, "in_interface": "eth0"}]
PARAMETERS = [{"name": "net.ipv4.conf.eth0.rp_filter", "value": "2"}]
# A change that cuts the server off: another alias, another gateway, no translation.
BAD_ALIASES = [{"address": "192.168.168.7/24", "interface": "eth0"}]
BAD_ROUTING: dict[str, Any] = {
    "tables": [{"id": 1001, "routes": [{"destination": "default", "gateway": "192.168.168.99"}]}],
    "rules": [{"priority": 20000, "family": "ipv4", "action": "unreachable"}],
}
FOREIGN = """
table inet docker {
  set addresses { type ipv4_addr; elements = { 172.17.0.2, 172.17.0.3 } }
  chain forward { type filter hook forward priority 0; policy accept; ip saddr @addresses counter accept; }
}
table ip nat {
  chain DOCKER { }
  chain PREROUTING { type nat hook prerouting priority -100; policy accept; fib daddr type local jump DOCKER; }
}
"""


class Server:
    """The server."""

    def __init__(self, host: Host, gateway: Host) -> None:
        self.host, self.gateway = host, gateway

    def run(self, module: str, run: str | None = None, timeout: int = 30, **options: Any) -> dict[str, Any]:
        """Run a module, as part of a run if one is named."""
        special = {name: options.pop(name) for name in ("check", "environment", "path") if name in options}
        confirm = {"confirm": {"run": run, "timeout": timeout}} if run else {}
        return run_module(module, {**options, **confirm}, netns_prefix=self.host.prefix, **special)

    def commit(self, state: str, **options: Any) -> dict[str, Any]:
        """Run commit_confirm."""
        special = {name: options.pop(name) for name in ("check", "environment") if name in options}
        return run_module("commit_confirm", {"state": state, **options}, netns_prefix=self.host.prefix, **special)

    def deploy(self, **more: Any) -> None:
        """Configure and store everything, by default without a run."""
        done = [
            self.run("kernel_parameters", parameters=PARAMETERS, **more),
            self.run("ip_aliases", aliases=ALIASES, persist=True, **more),
            self.run("policy_routing", **ROUTING, persist=True, **more),
            self.run("nat_rules", rules=NAT, persist=True, **more),
            self.run("connection_marks", marks=MARKS, persist=True, **more),
            self.run("forward_policy", policy="drop", accept=[{"mapped_to": "10.0.0.1"}], persist=True, **more),
        ]
        assert [result.get("msg") for result in done if not result.get("changed")] == []

    def break_it(self, run: str, timeout: int) -> float:
        """Change everything for the worse as a run; return when its deadline was set for the last time."""
        more: dict[str, Any] = {"run": run, "timeout": timeout, "purge": True}
        worse = [{"name": "net.ipv4.conf.eth0.rp_filter", "value": "1"}, {"name": "net.ipv4.ip_forward", "value": "1"}]
        done = [
            self.run("kernel_parameters", parameters=worse, **more),
            self.run("ip_aliases", aliases=BAD_ALIASES, persist=True, **more),
            self.run("nat_rules", rules=[], persist=True, **more),
            self.run("connection_marks", marks=[], persist=True, **more),
            self.run("forward_policy", policy="leave", accept=[], persist=True, **more),
            self.run("policy_routing", **BAD_ROUTING, interface_groups=[], persist=True, **more),
        ]
        assert [result.get("msg") for result in done if not result.get("changed")] == []
        return float(self.status(run)["deadline"])

    def status(self, run: str) -> dict[str, Any]:
        """The status of a run, empty without a checkpoint."""
        text = self.host.run("cat", f"{CHECKPOINTS}/{run}/status.json", check=False).stdout
        return json.loads(text) if text else {}

    def ended(self, run: str, seconds: float) -> float:
        """Wait until a run is reverted; return when it was found so, in CLOCK_BOOTTIME."""
        self.eventually(lambda: self.status(run).get("state") == "reverted", seconds)
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def eventually(self, holds: Callable[[], Any], seconds: float) -> None:
        """Wait until something holds."""
        eventually(holds, self.checkpoints, seconds)

    def tentative(self, negation: str) -> str:
        """The IPv6 addresses of eth0 that are tentative; with the negation "-", the others."""
        return self.host.run("ip", "-6", "address", "show", "dev", "eth0", f"{negation}tentative").stdout

    def checkpoints(self) -> str:
        """All files of all checkpoints, and the states of the runs."""
        script = f"cd {CHECKPOINTS} 2>/dev/null && ls -lR && cat */status.json"
        return self.host.run("sh", "-c", script, check=False).stdout

    def pending(self) -> bool:
        """Whether a run waits for its confirmation."""
        return self.host.run("test", "-L", f"{CHECKPOINTS}/pending", check=False).returncode == 0

    def state(self) -> dict[str, str]:
        """All that is configured, of all owners, and all files of this collection."""
        links = json.loads(self.host.run("ip", "-json", "address", "show").stdout)
        addresses = [
            f"{link['ifname']} {address['local']}/{address['prefixlen']} {address.get('secondary', '')}"
            for link in links
            for address in link.get("addr_info", ())
        ]
        files = (
            "for f in $(find /etc/multihome /etc/sysctl.d /etc/iproute2 /etc/systemd/system -name '*multihome*' "
            "-o -path '/etc/multihome*' 2>/dev/null | sort); do stat -c '%n %a %u %g' $f; test -f $f && cat $f; done; "
            "cat /proc/sys/net/ipv4/conf/eth0/rp_filter /proc/sys/net/ipv4/ip_forward"
        )
        commands = {
            "route": ("ip", "route", "show", "table", "all"),
            "route6": ("ip", "-6", "route", "show", "table", "all"),
            "rule": ("ip", "rule", "show"),
            "rule6": ("ip", "-6", "rule", "show"),
            "nft": ("nft", "--stateless", "list", "ruleset"),
            "files": ("sh", "-c", files),
        }
        found = {kind: self.host.run(*command, check=False).stdout for kind, command in commands.items()}
        links = json.loads(self.host.run("ip", "-json", "link", "show").stdout)
        found["group"] = "\n".join(f"{link['ifname']} {link['group']}" for link in links)
        # The order of routes says nothing.
        found = {k: "\n".join(sorted(text.splitlines())) if "route" in k else text for k, text in found.items()}
        return {**found, "address": "\n".join(sorted(addresses))}

    def stopped(self, step: int, by: str, log: Path, module: str, **options: Any) -> subprocess.Popen[str]:
        """Start a module that gets a signal before its step of this number."""
        request = {
            "module": f"ansible_collections.multihome.linux.plugins.modules.{module}",
            "args": {
                **options,
                "_ansible_check_mode": False,
                "_ansible_diff": False,
                "_ansible_remote_tmp": "/dev/null",
            },
            "path": [entry for entry in sys.path if entry.endswith("site-packages")],
        }
        runner = str(Path(__file__).parents[1] / "run_module.py")
        return self._stopped({"STOP_AT": str(step), "STOP_BY": by, "STOP_LOG": str(log)}, request, runner)

    def stopped_program(self, step: int, by: str, log: Path, run: str, timeout: int) -> subprocess.Popen[str]:
        """Start the program that arms, as a module does; it gets a signal before its step of this number."""
        request = {"confirm": {"run": run, "timeout": timeout}, "scope": {}, "process": [2**22 + 1, 1]}
        stop = {"STOP_AT": str(step), "STOP_BY": by, "STOP_LOG": str(log), "STOP_FROM": f"{CHECKPOINTS}/{run}"}
        return self._stopped(stop, request, PROGRAM, "arm", CHECKPOINTS)

    def _stopped(self, stop: dict[str, str], request: object, *command: str) -> subprocess.Popen[str]:
        environment = [f"{name}={value}" for name, value in {**stop, "PYTHONPATH": str(STOPPING)}.items()]
        words = ["env", *environment, sys.executable, *command]
        process = self.host.start(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(json.dumps(request))
        process.stdin.close()
        process.stdin = None
        return process


def in_any_order(state: dict[str, str]) -> dict[str, list[str]]:
    """A state whose chains may be listed in another order: nft adds a chain of its own at the end of its table."""
    return {kind: sorted(text.splitlines()) for kind, text in state.items()}


@contextmanager
def server(*, deployed: bool = True) -> Iterator[Server]:
    """Yield a server with the table of another owner; no checkpoint waits any more afterwards."""
    with Hosts("server", "gateway") as hosts:
        hosts.link("server", "eth0", "gateway", "eth0")
        hosts["gateway"].address("eth0", "192.168.168.11/24")
        hosts["server"].address("eth0", "192.168.168.50/24")
        hosts["server"].run("nft", "-f", "-", feed=FOREIGN)
        made = Server(hosts["server"], hosts["gateway"])
        # The kernel gives the interface a link-local address, with a route of its own.
        made.eventually(lambda: "fe80::" in made.tentative("-"), 5)
        made.eventually(lambda: "fe80::" not in made.tentative(""), 5)
        assert made.commit("present")["changed"]
        if deployed:
            made.deploy()
        try:
            yield made
        finally:
            # The process that waits for the deadline ends when its checkpoint is gone.
            with suppress(AssertionError):
                made.host.run("rm", "-rf", CHECKPOINTS)
            time.sleep(0.4)
