# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module answers the same with an engine on the host as when Ansible sends it, and changes the same."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.action import ActionBase
from ansible_collections.multihome.linux.plugins.action import (
    ip_aliases,
    kernel_parameters,
    nat_rules,
    policy_routing,
    role_steps,
)
from ansible_collections.multihome.linux.plugins.module_utils import _core
from ansible_collections.multihome.linux.plugins.module_utils._installed import LIBRARY
from ansible_collections.multihome.linux.plugins.plugin_utils._actions import installed as actions
from ansible_collections.multihome.linux.tests.lab.waiting import eventually

from ..namespaces import Host, Hosts
from ..run_module import run_module

ACTIONS: Mapping[str, Any] = {
    "nat_rules": nat_rules.ActionModule,
    "kernel_parameters": kernel_parameters.ActionModule,
    "ip_aliases": ip_aliases.ActionModule,
    "policy_routing": policy_routing.ActionModule,
    "role_steps": role_steps.ActionModule,
}
VARIABLES = {"ansible_python_interpreter": sys.executable}
MAPPING = {"type": "dnat", "protocol": "tcp", "destination": "203.0.113.10", "destination_port": "80"}
RULES = json.dumps([{**MAPPING, "to_address": "192.168.168.1", "name": "web"}])
ALIASES = [{"address": "192.168.169.1/24", "interface": "eth0"}]
ROUTES = [{"id": 1001, "name": "isp1", "routes": [{"destination": "default", "gateway": "192.168.168.11"}]}]
FILE = "/etc/sysctl.d/60-test.conf"
# Options of a run, and whether it is in check mode; one after the other on one host.
STEPS: list[tuple[str, dict[str, Any], bool]] = [
    ("nat_rules", {"rules": RULES, "purge": True}, True),
    ("nat_rules", {"rules": RULES, "purge": "yes"}, False),
    ("nat_rules", {"rules": RULES, "purge": True}, False),
    ("nat_rules", {"rules": [{"type": "dnat", "to_address": "nowhere"}]}, False),
    ("nat_rules", {"rules": "{}"}, False),
    ("nat_rules", {"rules": [], "purge": True}, False),
    ("kernel_parameters", {"parameters": [{"name": "net.ipv4.ip_forward", "value": "1"}], "file": FILE}, False),
    ("kernel_parameters", {"parameters": [{"name": "net.ipv4.none", "value": "1"}], "file": FILE}, False),
    ("ip_aliases", {"aliases": ALIASES}, False),
    ("policy_routing", {"tables": ROUTES, "persist": True}, True),
    ("ip_aliases", {"aliases": [{**ALIASES[0], "interface": "eth7"}], "skip_unavailable": True}, False),
    ("policy_routing", {"tables": ROUTES, "persist": True}, False),
    ("policy_routing", {"tables": ROUTES, "persist": True}, True),
    # With a warning, as the stored state differs.
    ("policy_routing", {"tables": [], "purge": True}, False),
]
WRITTEN = ("/etc/sysctl.d", "/etc/multihome", "/etc/iproute2/rt_tables.d", "/etc/iproute2/rt_protos.d", "/var/lib")
# What Ansible adds.
ADDED = {"exception", "invocation", "deprecations"}


class OnHost:
    """Makes actions on a host that may have an installation, and an engine that a module was sent with."""

    def __init__(self, host: Host, library: Path) -> None:
        self.host, self.library, self.sent, self.greeting = host, library, 0, ""
        self.kept = library.with_name(f"{library.name}-run") / "engine"

    def run(
        self, name: str, options: dict[str, Any], check: bool = False, variables: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the result of a module, from its action."""
        action = ACTIONS[name].__new__(ACTIONS[name])
        action._task = SimpleNamespace(
            args=options, async_val=0, delegate_to=None, environment=None, check_mode=check, diff=True
        )
        action._connection = SimpleNamespace(is_pipelining_enabled=lambda: True)
        action._templar = SimpleNamespace(template=lambda text: text)
        action._compute_environment_string = lambda: "LC_ALL=C.UTF-8"
        action._low_level_execute_command = self._command
        action._execute_module = lambda module=None, given=None, **_options: self._send(
            module.rpartition(".")[2] if module else name, given or options, check
        )
        result: dict[str, Any] = action.run(None, dict(variables or VARIABLES))
        return result

    def _command(self, command: str, in_data: bytes, **_options: Any) -> dict[str, Any]:
        command, program = (
            text.replace(LIBRARY, str(self.library)).replace(actions.KEPT, str(self.kept))
            for text in (command, in_data.decode())
        )
        done = subprocess.run(
            [*self.host.prefix, "/bin/sh", "-c", command], input=program, capture_output=True, text=True, check=False
        )
        return {"rc": done.returncode, "stdout": f"{self.greeting}{done.stdout}", "stderr": done.stderr}

    def _send(self, name: str, options: dict[str, Any], check: bool) -> dict[str, Any]:
        self.sent += 1
        return run_module(name, options, check=check, diff=True, netns_prefix=self.host.prefix)


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what the base class does with a connection."""
    monkeypatch.setattr(ActionBase, "run", lambda *_arguments: {})


@pytest.fixture
def library(tmp_path: Path) -> Path:
    shutil.copytree(Path(_core.__file__).parent, tmp_path / "_core", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with Hosts("installed", "sent") as hosts:
        hosts.link("installed", "eth0", "sent", "eth0")
        for number, name in enumerate(("installed", "sent"), 2):
            hosts[name].address("eth0", f"192.168.168.{number}/24")
            # The second host would see below its own files those of the first.
            for directory in WRITTEN:
                hosts[name].run("mkdir", "-p", directory)
                hosts[name].run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", directory)
        # Routes of a link-local address appear once its detection of duplicates has ended.
        eventually(lambda: all(_is_settled(hosts[name]) for name in ("installed", "sent")))
        yield hosts


def _is_settled(host: Host) -> bool:
    shown = host.run("ip", "-6", "address", "show", "dev", "eth0", "scope", "link").stdout
    return "inet6" in shown and "tentative" not in shown


def comparable(result: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in result.items() if key not in ADDED}
    # Ansible makes objects of warnings.
    said = [one if isinstance(one, str) else one["event"]["msg"] for one in kept.pop("warnings", ())]
    found: dict[str, Any] = json.loads(json.dumps({**kept, "said": said}))
    return found


def state(host: Host) -> list[str]:
    commands = (
        "nft list ruleset",
        "ip -br address show dev eth0",
        "ip route show table all",
        "sysctl net.ipv4.ip_forward",
    )
    shown = [host.run(*command.split(), check=False).stdout for command in commands]
    # Each has a link-local address and one in the shared network, in which the other one is its neighbour.
    own = re.compile(r"fe80\S*|192\.168\.168\.[23]\b")
    return [" ".join(own.sub("", text).split()) for text in shown]


@pytest.mark.parametrize("is_installed", [True, False])
def test_each_module_answers_and_changes_the_same_as_when_it_is_sent(
    hosts: Hosts, library: Path, is_installed: bool
) -> None:
    installed = OnHost(hosts["installed"], library if is_installed else library / "none")
    changed = 0
    for name, options, check in STEPS:
        found = installed.run(name, options, check)
        expected = run_module(name, options, check=check, diff=True, netns_prefix=hosts["sent"].prefix)
        assert comparable(found) == comparable({"changed": False, **expected}), (name, options)
        assert state(hosts["installed"]) == state(hosts["sent"]), (name, options)
        changed += found["changed"]
        # None of them is a part of a role's change.
        assert not installed.kept.exists()
    assert (installed.sent, changed) == (0, 8)


def add_file(library: Path) -> None:
    (library / "_core" / "added.py").touch()


def remove(library: Path) -> None:
    shutil.rmtree(library / "_core")


def remove_file(library: Path) -> None:
    (library / "_core" / "nat" / "engine.py").unlink()


def open_to_all(library: Path) -> None:
    (library / "_core" / "nat").chmod(0o777)


# As the roles give it, here without protection.
PART = {"confirm": {"run": "run", "timeout": 0}}
SPOILED = [add_file, remove, remove_file, open_to_all]


@pytest.mark.parametrize("spoil", SPOILED)
def test_the_engine_is_sent_along_where_the_installed_one_is_not_the_own_one(
    hosts: Hosts, library: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(library)
    installed = OnHost(hosts["installed"], library)
    # In check mode nothing is left behind, and what is no part of a role's change neither.
    for options, check in (({"rules": RULES, **PART}, True), ({"rules": RULES}, False)):
        assert installed.run("nat_rules", options, check)["changed"] is True
        assert not installed.kept.exists()
    assert installed.run("nat_rules", {"rules": RULES, **PART})["changed"] is False
    assert (installed.sent, installed.kept.is_dir()) == (0, True)
    # What was kept is used as an installed engine is; a spoiled one is not.
    assert installed.run("nat_rules", {"rules": RULES})["changed"] is False
    spoil(installed.kept)
    assert installed.run("nat_rules", {"rules": [], "purge": True})["changed"] is True
    assert installed.sent == 0


@pytest.mark.parametrize("spoil", SPOILED)
def test_ansible_sends_a_module_where_no_interpreter_is_known(
    hosts: Hosts, library: Path, spoil: Callable[[Path], None]
) -> None:
    installed = OnHost(hosts["installed"], library)
    (library / "multihome").write_text(f"#!{sys.executable} -I\n", encoding="utf-8")
    automatic = {"ansible_python_interpreter": "auto_silent"}
    # The control: the installed engine has its interpreter with it.
    assert installed.run("nat_rules", {"rules": RULES}, variables=automatic)["changed"] is True
    assert installed.sent == 0
    spoil(library)
    assert installed.run("nat_rules", {"rules": RULES}, variables=automatic)["changed"] is False
    assert installed.sent == 1
    # From then on Ansible has found it.
    found = {**automatic, "ansible_facts": {"discovered_interpreter_python": sys.executable}}
    assert installed.run("nat_rules", {"rules": [], "purge": True, **PART}, variables=found)["changed"] is True
    assert (installed.sent, installed.kept.is_dir()) == (1, True)


@pytest.mark.parametrize("options", [{}, {"rules": [], "colour": 1}, {"rules": [], "purge": "perhaps"}, {"rules": 7}])
def test_options_with_a_fault_are_left_to_ansible(hosts: Hosts, library: Path, options: dict[str, Any]) -> None:
    installed = OnHost(hosts["installed"], library)
    assert installed.run("nat_rules", options)["failed"] is True
    assert installed.sent == 1


def test_a_text_without_an_end_of_line_before_the_first_module_hides_nothing(hosts: Hosts, library: Path) -> None:
    """A .bashrc sets the title of a terminal. A module that is run a second time would report no change."""
    installed = OnHost(hosts["installed"], library)
    installed.greeting = "\x1b]0;installed\x07"
    assert installed.run("nat_rules", {"rules": RULES})["changed"] is True
    assert installed.sent == 0


def test_a_module_that_breaks_fails_and_is_not_run_again(
    hosts: Hosts, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "_MODULE_SIDE", "raise ValueError('broken')\n")
    installed = OnHost(hosts["installed"], library)
    found = installed.run("nat_rules", {"rules": RULES})
    assert found["failed"] is True
    assert found["msg"].startswith("nat_rules broke")
    assert "ValueError: broken" in found["stderr"]
    assert installed.sent == 0


ADDRESSES, ROUTING, LEFT = "Configure addresses", "Route", "Remove addresses"
SECOND = [{"address": "192.168.169.1/24", "interface": "eth0"}, {"address": "192.168.170.1/24", "interface": "eth0"}]
PARAMETERS = [{"name": "net.ipv4.ip_forward", "value": "1"}]
# The modules of a role, with a fault in the last one but one; and the one after a move, which does not happen.
ROLE: list[dict[str, Any]] = [
    {"name": "Forward", "module": "kernel_parameters", "options": {"parameters": PARAMETERS, "file": FILE}},
    {"name": ADDRESSES, "module": "ip_aliases", "options": {"aliases": ALIASES}},
    {"name": ROUTING, "module": "policy_routing", "options": {"tables": ROUTES}},
    {
        "name": LEFT,
        "module": "ip_aliases",
        "options": {"aliases": SECOND},
        "after": {"step": ADDRESSES, "did": "moved"},
    },
    {"name": "Translate", "module": "nat_rules", "options": {"rules": RULES}},
    {"name": "Mistake", "module": "nat_rules", "options": {"rules": [{"type": "dnat", "to_address": "nowhere"}]}},
    {"name": "Late", "module": "ip_aliases", "options": {"aliases": SECOND}},
]


@pytest.mark.parametrize("is_installed", [True, False])
def test_the_modules_of_a_role_do_the_same_in_one_process_as_one_by_one(
    hosts: Hosts, library: Path, is_installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = OnHost(hosts["installed"], library if is_installed else library / "none")
    sent = OnHost(hosts["sent"], library / "none")
    begun: list[str] = []
    run_program = actions.InstalledCode._run

    def noted(action: Any, line: str, program: str) -> dict[str, Any]:
        begun.append(line)
        return run_program(action, line, program)

    monkeypatch.setattr(actions.InstalledCode, "_run", noted)
    found = [installed.run("role_steps", {"steps": ROLE, "step": step["name"]}) for step in ROLE]
    # One program; before it one that looks for an engine, where there is none.
    assert (installed.sent, len(begun)) == (0, 1 if is_installed else 2)
    monkeypatch.setattr(actions.InstalledCode, "can_run_programs", lambda _action: False)
    expected = [sent.run("role_steps", {"steps": ROLE, "step": step["name"]}) for step in ROLE]
    assert sent.sent == 5
    for one, other, step in zip(found, expected, ROLE, strict=True):
        assert comparable({"changed": False, **one}) == comparable({"changed": False, **other}), step
    assert state(hosts["installed"]) == state(hosts["sent"])
    assert [bool(one.get("skipped")) for one in found] == [step["name"] in (LEFT, "Late") for step in ROLE]
    assert [bool(one.get("failed")) for one in found] == [step["name"] == "Mistake" for step in ROLE]
    assert [one.get("changed") for one in found].count(True) == 4
