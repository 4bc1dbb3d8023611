# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles, playbooks, filters and modules name each other's parts as these are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.multihome.linux.plugins.module_utils._core.host import distributions, requirements
from ansible_collections.multihome.linux.tests.unit.filter.derived import FILTERS

ROOT = Path(__file__).resolve().parents[3]
ROLES = ("isp_firewall", "multihomed_web")
DEPLOY = next(play for play in yaml.safe_load((ROOT / "playbooks" / "deploy.yml").read_text()) if "vars" in play)


def role(name: str, part: str) -> Any:
    """One YAML file of a role."""
    return yaml.safe_load((ROOT / "roles" / name / part / "main.yml").read_text())


def tasks(name: str) -> str:
    """All task files of a role in one text."""
    return "\n".join(path.read_text() for path in sorted((ROOT / "roles" / name / "tasks").glob("*.yml")))


def options(name: str) -> set[str]:
    """The variables that a role documents."""
    document = yaml.safe_load((ROOT / "roles" / name / "meta" / "argument_specs.yml").read_text())
    return set(document["argument_specs"]["main"]["options"])


def words(name: str, text: str) -> set[str]:
    """Every word of a text that begins like a variable of a role, without the collection's filters."""
    return set(re.findall(rf"(?<![\w.])_*{name}_\w+", text))


@pytest.mark.parametrize("name", ROLES)
def test_a_role_uses_each_variable_that_it_documents_and_no_others(name: str) -> None:
    used = words(name, tasks(name) + (ROOT / "roles" / name / "vars" / "main.yml").read_text())
    assert {word for word in used if not word.startswith("__")} == options(name)
    internal = {word for word in used if word.startswith("__")}
    registered = set(re.findall(r"register: (\w+)|^ +(__\w+): ", tasks(name), re.MULTILINE))
    assert internal <= {one or other for one, other in registered} | set(role(name, "vars"))


@pytest.mark.parametrize("name", ROLES)
def test_deploy_takes_each_variable_of_the_role_from_the_lookup(name: str) -> None:
    derived = {variable: text for variable, text in DEPLOY["vars"].items() if variable.startswith(name)}
    assert derived.keys() == options(name) & FILTERS.keys()
    for variable, text in derived.items():
        assert text == f"{{{{ multihome_host.{variable} }}}}"


def test_the_summary_has_every_result_that_the_roles_register() -> None:
    registered = set(re.findall(r"register: (\w+)", "\n".join(map(tasks, (*ROLES, "common")))))
    assert set(role("common", "vars")["__common_results"]) == {
        name for name in registered if not name.endswith("_found")
    }


@pytest.mark.parametrize("name", ["deploy", "remove", "verify"])
def test_a_playbook_names_no_internal_variable_of_a_role(name: str) -> None:
    assert re.findall(r"\b__\w+", (ROOT / "playbooks" / f"{name}.yml").read_text()) == []


def test_the_roles_share_no_task_but_by_including_it() -> None:
    def texts(name: str) -> set[str]:
        files = (ROOT / "roles" / name / "tasks").glob("*.yml")
        found = [task for path in files for task in flat(yaml.safe_load(path.read_text()))]
        return {yaml.safe_dump(task).replace(name, "ROLE") for task in found if not including(task)}

    def flat(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [task for entry in entries for task in (flat(entry["block"]) if "block" in entry else [entry])]

    def including(task: dict[str, Any]) -> bool:
        return any(key.startswith(("ansible.builtin.include_", "ansible.builtin.import_")) for key in task)

    # Each of these hands a role's own lists to a module, or is about a role's own variables.
    common = texts("isp_firewall") & texts("multihomed_web")
    assert {yaml.safe_load(text)["name"] for text in common} == {
        "Compute once which modules run, with which options",
        "Configure the lines",
        "Note that this host has something to change",
        "End here where the host is as it has to be",
        "End here where the host is only looked at",
        "Refuse faulty variables",
        "Refuse to change a host that was not checked",
        "Report the steps that tags leave out",
    }


def test_whatever_the_modules_report_as_missing_has_a_package() -> None:
    for packages in distributions.PACKAGES.values():
        assert set(requirements.report()) | {"iptables", "dnspython", "knot"} == set(packages)
