# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a plan are those of the modules, with the same defaults."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.nftables import DEFAULT_TABLE
from ansible_collections.multihome.linux.plugins.module_utils._core.host.kernel_parameters import DEFAULT_FILE
from ansible_collections.multihome.linux.plugins.module_utils._core.host_plan.kinds import KINDS
from ansible_collections.multihome.linux.plugins.module_utils._core.host_plan.plan import parse_plan
from ansible_collections.multihome.linux.plugins.module_utils._module import DEFAULT_OWNER
from ansible_collections.multihome.linux.plugins.module_utils._preflight_spec import ARGUMENT_SPEC as PREFLIGHT_SPEC
from ansible_collections.multihome.linux.tests.unit.plugins import specifications

CORE = specifications.ROOT / "plugins" / "module_utils" / "_core"
# Options that no forecast depends on.
WITHOUT_EFFECT = {"confirm", "warn_skipped"}


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_has_the_options_of_its_module_with_their_defaults(name: str) -> None:
    spec: dict[str, dict[str, Any]] = specifications.modules()[name].ARGUMENT_SPEC
    kind = KINDS[name]
    own = {**dict.fromkeys((*kind.required, *kind.lists)), **kind.defaults}
    assert own.keys() == spec.keys() - WITHOUT_EFFECT
    assert set(kind.required) == {option for option in spec if spec[option].get("required")}
    lists = {option for option in spec if spec[option]["type"] == "list"}
    assert lists == {*kind.required, *kind.lists}
    assert {option: spec[option].get("default") for option in kind.defaults} == kind.defaults
    assert {option: spec[option].get("default") for option in kind.lists} == {
        option: own[option] for option in kind.lists
    }


def test_lists_that_are_left_out_are_as_for_the_module() -> None:
    given = {"marks": '[{"mark": "1", "in_interface": "wan0"}]', "balance": "[]"}
    assert KINDS["connection_marks"].make(parse_plan({"connection_marks": given})["connection_marks"]) is not None


def test_values_are_converted_as_ansible_does() -> None:
    given = {"rules": '[{"type": "masquerade"}]', "purge": "no", "persist": "True"}
    parsed = parse_plan({"nat_rules": given})["nat_rules"]
    assert (parsed["rules"], parsed["purge"], parsed["persist"]) == ([{"type": "masquerade"}], False, True)


def test_marks_of_a_firewall_need_no_list_of_addresses() -> None:
    marks = [{"mark": 1, "in_interface": "wan0"}]
    given = {"marks": marks, "balance": "[]", "backend": "nftables"}
    parsed = parse_plan({"connection_marks": given})["connection_marks"]
    assert KINDS["connection_marks"].make(parsed).balance_from == ()


def test_lines_that_are_neither_listed_nor_stored_need_nothing() -> None:
    engine = KINDS["line_health"].make({"lines": [], "force": False})
    assert engine.plan(engine.read()).actions == ()


def test_a_kind_without_options_is_not_planned() -> None:
    assert parse_plan({"nat_rules": None, "keeper": {}}) == {"keeper": {"state": "present"}}


def test_every_fault_of_a_plan_is_reported_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_plan(
            {
                "packages": {},
                "nat_rules": {"purge": "perhaps"},
                "ip_aliases": {"aliases": "192.0.2.1", "colour": 1},
                "forward_policy": {"accept": '{"mapped_to": "192.0.2.1"}'},
                "keeper": [],
            }
        )
    said = "\n".join(caught.value.faults)
    assert "plan: packages: not one of forward_policy, nat_rules" in said
    assert "plan: nat_rules: rules is missing" in said
    assert "plan: nat_rules: purge: neither true nor false" in said
    assert "plan: ip_aliases: unknown: colour" in said
    assert "plan: ip_aliases: aliases: neither a list nor the JSON text of one" in said
    assert "plan: forward_policy: accept: the JSON text is not a list" in said
    assert "plan: keeper: not a dictionary of options" in said


def imported(path: Path) -> set[Path]:
    """The files of the collection that a file imports, anywhere in it."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            found |= {base.with_suffix(".py"), *(base / f"{alias.name}.py" for alias in node.names)}
    return {one for one in found if one.is_file()}


def packed(module: str) -> set[str]:
    """The files of the engine that Ansible sends along with a module."""
    seen: set[Path] = set()
    waiting = {specifications.ROOT / "plugins" / "modules" / f"{module}.py"}
    while waiting:
        seen |= waiting
        waiting = {one for path in waiting for one in imported(path)} - seen
    found = {str(path.relative_to(CORE)) for path in seen if path.is_relative_to(CORE)}
    # The program of commit_confirm is installed beside it, and has checkpoints.
    return {path for path in found if not path.startswith("checkpoint/")}


def test_the_modules_that_install_the_keeper_and_that_plan_it_have_the_same_code() -> None:
    assert packed("keeper") == packed("preflight")
    assert {"keeper/main.py", "command/main.py", "host_plan/run.py"} <= packed("keeper")
    # The control, and what the module for installed code is for.
    assert packed("nat_rules") < packed("keeper")
    assert packed("installed_preflight") == set()


def test_defaults_that_are_written_twice_are_the_same() -> None:
    defaults = {name: spec.get("default") for name, spec in PREFLIGHT_SPEC.items()}
    assert (defaults["protocol"], defaults["table"], defaults["file"]) == (DEFAULT_OWNER, DEFAULT_TABLE, DEFAULT_FILE)
