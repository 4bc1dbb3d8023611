# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Molecule's scenarios: those of the collection, and the one that its users copy from docs/molecule.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.tests.lab.state import CHECKOUT

import sources

SCENARIOS = sorted(path.parent.name for path in CHECKOUT.glob("extensions/molecule/*/molecule.yml"))
MOLECULE = str(Path(sys.executable).with_name("molecule"))
FILE = re.compile(r"```yaml\n# (molecule/default/\w+\.yml)\n(.*?)```", re.DOTALL)
STEPS = ("create", "converge", "idempotence", "check", "verify", "side_effect", "destroy")


def molecule(*words: str, directory: Path = CHECKOUT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run molecule; its output is free of colours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "LAB_", "MOLECULE_"))}
    own = {"NO_COLOR": "1", "ANSIBLE_HOME": str(directory / ".ansible"), **environment}
    if directory == CHECKOUT:
        # Molecule installs the collection there: in the home of other tests it would replace theirs while they run.
        own["ANSIBLE_HOME"] = str(CHECKOUT / ".cache" / "molecule")
    return subprocess.run(
        [MOLECULE, *words],
        cwd=directory,
        env={**kept, **own},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def done(output: str) -> set[str]:
    """The steps that ended well: molecule says `[scenario > step] Executed: Successful`, with colours in between."""
    return set(re.findall(r"> (\w+)\] Executed: Successful", re.sub(r"\x1b\[[0-9;]*m", "", output)))


def test_there_are_the_four_scenarios() -> None:
    assert SCENARIOS == ["isp_firewall", "multihomed_web", "n_lines", "two_lines"]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_runs_each_step(scenario: str) -> None:
    run = molecule("test", "--scenario-name", scenario)
    assert run.returncode == 0, run.stdout + run.stderr
    assert done(run.stdout + run.stderr) >= set(STEPS)


@pytest.fixture
def converged() -> Iterator[str]:
    """A scenario that was created and converged; destroyed afterwards."""
    name = "multihomed_web"
    try:
        for step in ("create", "converge"):
            run = molecule(step, "--scenario-name", name)
            assert run.returncode == 0, run.stdout + run.stderr
        yield name
    finally:
        molecule("destroy", "--scenario-name", name)


def test_control_a_missing_policy_rule_fails_the_verification(converged: str) -> None:
    lab = [sys.executable, "-m", "tests.lab", "exec", "--name", f"molecule-{converged}", "web1", "--"]
    # The keeper is not running in this lab, which has no service manager, so that nothing restores the rule.
    subprocess.run([*lab, "ip", "rule", "del", "priority", "23020"], cwd=CHECKOUT, check=True)
    run = molecule("verify", "--scenario-name", converged)
    assert run.returncode != 0
    assert "interlink" in run.stdout + run.stderr


def test_the_scenario_of_the_documentation_runs_with_an_installed_collection(tmp_path: Path) -> None:
    checkout, project, home = tmp_path / "checkout", tmp_path / "project", tmp_path / "project" / ".ansible"
    sources.copy_to(checkout)
    galaxy = [str(Path(sys.executable).with_name("ansible-galaxy")), "collection"]
    collections = home / "collections"
    # Else ansible-galaxy finds the collection in .venv, or where molecule has put it, and installs nothing.
    search = {"ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false"}
    environment = {**os.environ, **search}
    for command in (["build"], ["install", "multihome-linux-0.1.0.tar.gz", "-p", str(collections)]):
        subprocess.run([*galaxy, *command], cwd=checkout, env=environment, check=True, capture_output=True)
    for name, text in FILE.findall((checkout / "docs" / "molecule.md").read_text()):
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("---\n" + text)
    run = molecule(
        "test",
        directory=project,
        MULTIHOME=str(collections / "ansible_collections" / "multihome" / "linux"),
        LAB_PYTHON=sys.executable,
        XDG_CACHE_HOME=str(tmp_path / "cache"),
        **search,
    )
    output = run.stdout + run.stderr
    assert run.returncode == 0, output
    assert done(output) >= set(STEPS)
    # The lab is the inventory, and not up yet at the first two steps.
    assert "Failed to parse inventory" not in " ".join(output.split())
