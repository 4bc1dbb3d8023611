# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole tasks, as their user waits for them: Ansible's own share, the way to the host and the module, together.

One ansible-playbook runs within a namespace, with connection local: nothing is faster, so what a task costs beyond
ansible.builtin.ping is seen in full. ping runs for a host without variables, nat_rules for one that has the mappings,
in turn; all of these hosts are the one namespace.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from ...integration.namespaces import Host, Hosts
from .site import mappings

HERE = Path(__file__).resolve().parent
# The tasks that say "changed".
_CHANGING = ("first", "many_first", "away", "peak_first", "iptables")
PING = {"name": "ping", "ansible.builtin.ping": {}}


def seconds_of_tasks(some: int, many: int, rounds: int, compared: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Return the seconds of each kind of task, a list each, and what memory the module needed.

    ``first`` makes ``some`` mappings from nothing, ``unchanged_some`` and ``unchanged_many`` find everything as it is;
    their lists are plain data, as a filter or a lookup gives them. ``variables_many`` is the same with host variables:
    Ansible looks at each of their values for a template. ``ansible_some`` and ``ansible_many`` hand the plain list to a
    module that does nothing with it. ``iptables`` is one loop of ansible.builtin.iptables over ``compared`` mappings
    from nothing. ``ping`` holds for each kind the seconds of the pings right before each of its tasks. ``peak_memory``
    is bytes, of a run that makes ``many`` mappings and of one that finds them.
    """
    counts, with_variables = {"some": some, "many": many}, ("variables", "measured")
    with Hosts("firewall") as hosts, _controller(counts, with_variables) as directory:
        plays = [_data(directory, "some"), _data(directory, "many")]
        for _round in range(rounds):
            plays += [_ping(), _nat("some", "first"), _ping(), _nat("some", "unchanged_some")]
            plays += [_ping(), _taken("some", "ansible_some"), _nat(None, "away")]
        plays += [_nat("many", "many_first")]
        for _round in range(rounds):
            plays += [_ping(), _nat("many", "unchanged_many"), _ping(), _nat("variables", "variables_many")]
            plays += [_ping(), _taken("many", "ansible_many")]
        plays += [_nat(None, "away"), _nat("measured", "peak_first"), _nat("measured", "peak_unchanged")]
        plays += [_ping(), _iptables(compared)]
        taken = play(hosts["firewall"], directory, plays)
        peaks = [int(line) for line in (directory / "peak").read_text(encoding="ascii").split()]
        standing = hosts["firewall"].run("iptables-save", "-t", "nat").stdout.count("-j DNAT")
    if standing != compared or len(peaks) != 2:
        raise RuntimeError(f"{standing} iptables rules instead of {compared}, {len(peaks)} peaks instead of 2")
    result: dict[str, Any] = {"ping": {}, "compared": compared, "peak_memory": peaks}
    for before, task in pairwise(taken):
        name = task["name"]
        if before["name"] == "ping":
            result.setdefault(name, []).append(task["seconds"])
            result["ping"].setdefault(name, []).append(before["seconds"])
        if task["changed"] != (name in _CHANGING):
            raise RuntimeError(f"task {name}: changed is {task['changed']}")
    say(", ".join(f"{name} {min(result[name]):.2f} s" for name in result["ping"]))
    return result


def _ping() -> dict[str, Any]:
    return _one_task("bare", PING)


def _data(directory: Path, host: str, made_by: str = "from_json") -> dict[str, Any]:
    """Return a play that gives a host its mappings as plain data, or what another filter makes of their text."""
    content = f"{{{{ lookup('ansible.builtin.file', '{directory / host}.json') | {made_by} }}}}"
    return _one_task(host, {"name": "data", "ansible.builtin.set_fact": {"mappings": content}})


def _nat(host: str | None, name: str) -> dict[str, Any]:
    """Return a play that makes the mappings of a host stand; without a host, none at all."""
    rules: Any = "{{ mappings }}" if host else []
    return _one_task(host or "bare", {"name": name, "multihome.linux.nat_rules": {"rules": rules, "purge": True}})


def _taken(host: str, name: str) -> dict[str, Any]:
    """Return a play that hands the mappings of a host to a module that does nothing with them."""
    return _one_task(host, {"name": name, "take_entries": {"rules": "{{ mappings }}"}})


def _iptables(count: int) -> dict[str, Any]:
    arguments = {
        "table": "nat",
        "chain": "PREROUTING",
        "protocol": "{{ item.protocol }}",
        "destination": "{{ item.destination }}",
        "destination_port": "{{ item.destination_port }}",
        "jump": "DNAT",
        "to_destination": "{{ item.to_address }}:{{ item.to_port }}",
    }
    loop = f"{{{{ mappings[:{count}] }}}}"
    task = {"name": "iptables", "ansible.builtin.iptables": arguments, "loop": loop, "loop_control": {"label": "-"}}
    return _one_task("some", task)


def _one_task(host: str, task: Mapping[str, Any]) -> dict[str, Any]:
    return {"hosts": host, "gather_facts": False, "tasks": [dict(task)]}


@contextmanager
def _controller(counts: Mapping[str, int], with_variables: Sequence[str] = ()) -> Iterator[Path]:
    """Make a directory with an inventory, the mappings, and a Python that tells how much memory a module needs.

    The hosts ``with_variables`` have the most mappings as host variables.
    """
    with tempfile.TemporaryDirectory(prefix="multihome-bench-") as name:
        directory = Path(name)
        (directory / "host_vars").mkdir()
        for host, count in counts.items():
            (directory / f"{host}.json").write_text(json.dumps(mappings(count)), encoding="utf-8")
        for host in with_variables:
            content = json.dumps({"mappings": mappings(max(counts.values()))})
            (directory / "host_vars" / f"{host}.json").write_text(content, encoding="utf-8")
        measured = directory / "measured-python"
        source = (HERE / "peak_memory.py").read_text(encoding="utf-8")
        measured.write_text(f"#!{sys.executable}\n{source}", encoding="utf-8")
        measured.chmod(stat.S_IRWXU)
        lines = [
            f"{host} ansible_connection=local ansible_python_interpreter={python}"
            for host, python in [
                *((host, sys.executable) for host in ("bare", "variables", *counts)),
                ("measured", measured),
            ]
        ]
        (directory / "hosts").write_text("\n".join(lines) + "\n", encoding="utf-8")
        yield directory


def unchanged_texts(
    counts: Sequence[int], repeats: int, program: Path, collections: Path
) -> dict[str, dict[int, float]]:
    """Return by the number of mappings the processor time of an unchanged task, with its engine sent and installed.

    ``ping`` has one for 0 mappings. The list is one JSON text, as the roles pass it. ``program`` is the
    ansible-playbook, which finds the collection in ``collections``. What a playbook costs beyond its tasks is left out:
    a run of ``repeats`` more tasks is compared.
    """
    names = {f"many{count}": count for count in counts}
    found: dict[str, dict[int, float]] = {"ping": {}, "sent": {}, "installed": {}}
    more = {"ANSIBLE_COLLECTIONS_PATH": collections, "ANSIBLE_PIPELINING": True}
    with Hosts("firewall") as hosts, _controller(names) as directory:
        host = hosts["firewall"]

        def used(before: list[dict[str, Any]], task: dict[str, Any]) -> float:
            taken = []
            for number in (1, 1 + repeats):
                start = _used()
                done = play(host, directory, [*before, *[task] * number], program, more)
                taken.append(_used() - start)
                if any(one["changed"] for one in done):
                    raise RuntimeError("a task changed something")
            return (taken[1] - taken[0]) / repeats

        found["ping"][0] = used([], _ping())
        for kind in ("sent", "installed"):
            if kind == "installed":
                _install(host, directory, program, more)
            for name, count in names.items():
                data = _data(directory, name, "string")
                play(host, directory, [data, _nat(name, "first")], program, more)
                found[kind][count] = used([data], _nat(name, name))
    return found


def _install(host: Host, directory: Path, program: Path, more: Mapping[str, Any]) -> None:
    """Install the keeper with the engine, in an /usr of the host's own."""
    host.run("mkdir", "-p", "/run/usr/above", "/run/usr/work")
    places = "lowerdir=/usr,upperdir=/run/usr/above,workdir=/run/usr/work"
    host.run("mount", "-t", "overlay", "-o", places, "overlay", "/usr")
    play(host, directory, [_one_task("bare", {"name": "keeper", "multihome.linux.keeper": {}})], program, more)


def _used() -> float:
    """Return the processor time of all ended children of this process."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def play(
    host: Host,
    directory: Path,
    plays: Sequence[Mapping[str, Any]],
    chosen: Path | None = None,
    more: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Run plays on the host and return what each task said of itself.

    ``chosen`` is another ansible-playbook than the one beside this Python, ``more`` are settings for it.
    """
    playbook = directory / "playbook.yml"
    playbook.write_text(json.dumps(plays), encoding="utf-8")
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    program = str(chosen) if chosen else shutil.which("ansible-playbook", path=beside)
    if program is None:
        raise RuntimeError("ansible-playbook is not installed beside this Python")
    (directory / "ansible.cfg").touch()  # nobody's own settings
    settings = {
        "ANSIBLE_CALLBACK_PLUGINS": HERE / "callback_plugins",
        "ANSIBLE_STDOUT_CALLBACK": "task_seconds",
        "ANSIBLE_HOME": directory / "ansible",
        "ANSIBLE_LIBRARY": HERE / "library",
        "ANSIBLE_REMOTE_TMP": directory / "remote",
        "ANSIBLE_CONFIG": directory / "ansible.cfg",
        "PEAK_MEMORY_FILE": directory / "peak",
        **(more or {}),
    }
    done = host.run(
        *("env", *(f"{name}={value}" for name, value in settings.items())),
        *(program, "--inventory", str(directory / "hosts"), str(playbook)),
        check=False,
        timeout=3600,
    )
    taken = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    failed = [f"{task['name']}: {task['message']}" for task in taken if task["failed"]]
    if done.returncode or failed:
        raise RuntimeError(f"ansible-playbook: exit {done.returncode}\n{failed}\n{done.stdout}{done.stderr}"[:3000])
    return taken
