# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role's documentation is its meta/argument_specs.yml: what it says of defaults is what defaults/main.yml does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from ansible_collections.multihome.linux.tests.unit.plugins import specifications

ROLES = specifications.roles()
NONE = object()


def faults_of(directory: Path, name: str) -> list[str]:
    """Where a role's argument specification and its defaults disagree."""
    options = specifications.role_options(directory)
    file = directory / "defaults" / "main.yml"
    defaults = yaml.safe_load(file.read_text()) if file.exists() else {}
    faults = [f"{option} does not begin with {name}_" for option in options if not option.startswith(f"{name}_")]
    faults += [f"{option} has a default but is not specified" for option in defaults if option not in options]
    for option, spec in options.items():
        said, done = spec.get("default", NONE), defaults.get(option, NONE)
        if spec.get("required") and done is not NONE:
            faults.append(f"{option} is required and has a default")
        elif said != done or type(said) is not type(done):
            faults.append(f"{option} differs between specification and defaults")
    given = {option: value for option, value in defaults.items() if option in options}
    optional = {option: {**spec, "required": False} for option, spec in options.items()}
    return faults + specifications.option_faults(given, optional)


def test_the_roles_are_those_of_the_design() -> None:
    assert set(ROLES) == {"common", "isp_firewall", "multihomed_web"}


@pytest.mark.parametrize("name", ROLES)
def test_a_role_does_what_its_specification_says(name: str) -> None:
    assert faults_of(ROLES[name], name) == []


@pytest.mark.parametrize(
    ("file", "path", "value"),
    [
        ("defaults/main.yml", ["multihomed_web_undocumented"], 1),
        ("defaults/main.yml", ["multihomed_web_purge"], "perhaps"),
        ("meta/argument_specs.yml", ["argument_specs", "main", "options", "multihomed_web_purge", "default"], False),
        ("meta/argument_specs.yml", ["argument_specs", "main", "options", "web_purge"], {"type": "bool"}),
    ],
)
def test_control_a_role_that_does_otherwise_is_rejected(
    tmp_path: Path, file: str, path: list[str], value: object
) -> None:
    role = tmp_path / "multihomed_web"
    shutil.copytree(ROLES["multihomed_web"], role)
    document = yaml.safe_load((role / file).read_text())
    node = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    (role / file).write_text(yaml.safe_dump(document))
    assert faults_of(role, "multihomed_web") != []
