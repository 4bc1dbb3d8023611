# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a playbook on a lab and return what came of it as data.

run = playbooks.run(lab, "multihome.linux.deploy", variables={"multihomed_web_default_route": "failover"})
run.changed            {"fw-a": 1, "fw-b": 1, "web1": 2}
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..lab.declaration import declaration
from ..lab.lab import Lab
from ..lab.state import CHECKOUT

DEPLOY, VERIFY, REMOVE = "multihome.linux.deploy", "multihome.linux.verify", "multihome.linux.remove"
# What every deployment here asks for beyond the declaration.
FAILOVER = {"multihomed_web_default_route": "failover"}
# What users get who set neither.
PROTECTED = {"multihome_confirm_timeout": 60, "multihome_serial": 1}
# Quick deployments, where neither the confirmation nor the order of hosts is the subject.
UNPROTECTED = {"multihome_confirm_timeout": 0, "multihome_serial": "100%"}
Event = Mapping[str, Any]
Follower = Callable[[Event], None]


@dataclass(frozen=True)
class Result:
    """What one task did on one host. ``status`` is ok, changed, failed, ignored, skipped or unreachable."""

    host: str
    task: str
    status: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """A finished run. ``hosts`` has Ansible's numbers (ok, changed, failures, …), none where no host was reached."""

    code: int
    seconds: float
    results: Sequence[Result]
    hosts: Mapping[str, Mapping[str, int]]
    errors: str = field(default="", repr=False)

    @property
    def changed(self) -> dict[str, int]:
        """The number of changed tasks of each host."""
        return {host: numbers["changed"] for host, numbers in self.hosts.items()}

    @property
    def changes(self) -> int:
        """The number of changes of all hosts: of tasks, and of the steps of a role."""
        return sum(result.status == "changed" for result in self.results)

    @property
    def failures(self) -> list[str]:
        """What failed, as `host: task: message`."""
        return [
            f"{result.host}: {result.task}: {result.values.get('msg')}"
            for result in self.results
            if result.status in ("failed", "unreachable")
        ]

    def message(self, task: str) -> Any:
        """What the first host said in ``task``; raise LookupError if it was not run."""
        for result in self.results:
            if result.task.endswith(task) and result.status != "skipped":
                return result.values.get("msg")
        raise LookupError(f'no result of task "{task}"; {self.errors.strip()}')


class PlaybookFailed(AssertionError):
    """A run failed that should not have; the text says on which host and why."""


def _ignore(_event: Event) -> None:
    """Follow nothing."""


def run(
    lab: Lab,
    playbook: str,
    *arguments: str,
    variables: Mapping[str, Any] | None = None,
    follow: Follower = _ignore,
    settings: Mapping[str, str] | None = None,
) -> Run:
    """Run ``playbook`` (a name or a path) on the lab, handing each event to ``follow`` as it comes.

    The events are those of callback_plugins/json_lines.py. ``settings`` are those of Ansible, as environment variables.
    """
    command = [str(Path(sys.executable).parent / "ansible-playbook"), playbook, *arguments]
    command += ["--extra-vars", json.dumps({**(variables or {})})]
    results: list[Result] = []
    hosts: Mapping[str, Mapping[str, int]] = {}
    environment = {**_environment(lab), **(settings or {})}
    begin = time.monotonic()
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as errors,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=environment, text=True
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                event = json.loads(line)
                if event["event"] == "result":
                    results.append(Result(event["host"], event["task"], event["status"], event["result"]))
                elif event["event"] == "stats":
                    hosts = event["hosts"]
                follow(event)
        except BaseException:
            process.terminate()
            raise
        code = process.wait()
        errors.seek(0)
        return Run(code, time.monotonic() - begin, results, hosts, errors.read())


def deploy(lab: Lab, *arguments: str, variables: Mapping[str, Any] | None = None, follow: Follower = _ignore) -> Run:
    """Deploy the lab's declaration, unprotected; raise PlaybookFailed if any host fails.

    ``variables`` replace what it says; PROTECTED has the defaults of users.
    """
    done = run(lab, DEPLOY, *arguments, variables={**FAILOVER, **UNPROTECTED, **(variables or {})}, follow=follow)
    if done.code:
        raise PlaybookFailed("\n".join([*done.failures, done.errors]))
    return done


def verify(lab: Lab, follow: Follower = _ignore, **variables: Any) -> Run:
    """Verify the lab's deployment; whether it holds is the result's code."""
    return run(lab, VERIFY, variables={"multihome_verify_timeout": 1, **variables}, follow=follow)


def declared(lab: Lab, lines: Sequence[str] | None = None) -> dict[str, list[dict[str, Any]]]:
    """Return the lab's three lists, left to the lines named, as variables of ``deploy`` and ``verify``."""
    lists = declaration(lab.topology)
    if lines is None:
        return lists
    lists["multihome_lines"] = [line for line in lists["multihome_lines"] if line["name"] in lines]
    for server in lists["multihome_servers"]:
        server["addresses"] = {name: own for name, own in server["addresses"].items() if name in lines}
    return lists


def _environment(lab: Lab) -> dict[str, str]:
    """Nobody's settings of Ansible, but the lab's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    # Ansible refuses to start where the locale's encoding is not UTF-8.
    if "UTF-8" not in kept.get("LC_ALL", kept.get("LANG", "")).upper():
        kept["LC_ALL"] = "C.UTF-8"
    return kept | {
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).with_name("callback_plugins")),
        "ANSIBLE_CONFIG": str(CHECKOUT / "inventory" / "lab" / "ansible.cfg"),
        "ANSIBLE_LIBRARY": str(Path(__file__).with_name("library")),
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_NOCOLOR": "True",
        "ANSIBLE_STDOUT_CALLBACK": "json_lines",
        "LAB_NAME": lab.name,
        # What one run has compiled the next one need not; but nothing of it lies beside the sources.
        "PYTHONPYCACHEPREFIX": str(CHECKOUT / ".cache" / "pycache"),
    }
