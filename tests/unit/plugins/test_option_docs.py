# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's documentation, its argument spec and its engine agree on every option, those of entries included."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from ansible_collections.multihome.linux.plugins.doc_fragments import _attributes, _confirm, _owner, _persist
from ansible_collections.multihome.linux.tests.unit.plugins import specifications

MODULES = specifications.modules()
FRAGMENTS = {"_attributes": _attributes, "_confirm": _confirm, "_owner": _owner, "_persist": _persist}
# Of these lists Ansible checks nothing inside the entries.
JUDGED = {
    "connection_marks": ["marks", "balance"],
    "dns_records": ["records"],
    "forward_policy": ["accept", "mss"],
    "ip_aliases": ["aliases"],
    "kernel_parameters": ["parameters"],
    "line_check": ["targets"],
    "line_health": ["lines"],
    "name_server": ["zones"],
    "nat_rules": ["rules"],
    "path_info": ["paths", "replies"],
    "policy_routing": ["tables", "rules", "interface_groups"],
    "preflight": ["lines", "kernel_parameters", "taken_ports"],
}
LISTS = [(module, option) for module, options in JUDGED.items() for option in options]
# What a list needs beside it, so that the engine comes to judge its entries.
BESIDE: dict[str, dict[str, Any]] = {
    "connection_marks": {"balance_from": ["192.0.0.8"]},
    "dns_records": {"zone": "svc.example.com", "servers": ["192.0.2.53"]},
    "forward_policy": {"accept": []},
    "preflight": {"role": "server", "lines": [], "probe_timeout": 0},
}


def documented(name: str) -> dict[str, Any]:
    """The options of a module as ansible-doc shows them: those of its fragments, and its own over them."""
    document = yaml.safe_load(MODULES[name].DOCUMENTATION)
    options: dict[str, Any] = {}
    for fragment in document["extends_documentation_fragment"]:
        file, _dot, part = fragment.removeprefix("multihome.linux.").partition(".")
        text = getattr(FRAGMENTS[file].ModuleDocFragment, part.upper() or "DOCUMENTATION")
        options |= yaml.safe_load(text).get("options") or {}
    for option, own in (document.get("options") or {}).items():
        options[option] = {**options.get(option, {}), **own}
    return options


def differences(docs: Mapping[str, Any], spec: Mapping[str, Any], place: str = "") -> list[str]:
    """Where documentation and argument spec disagree, at any depth."""
    found = [f"{place}{name}: only in one of both" for name in sorted(set(docs) ^ set(spec))]
    for name in sorted(set(docs) & set(spec)):
        for part, absent in (("type", "str"), ("required", False), ("choices", None), ("default", None)):
            said, done = docs[name].get(part, absent), spec[name].get(part, absent)
            if said != done:
                found.append(f"{place}{name}: {part} is {said!r} in the documentation and {done!r} in the spec")
        for part in ("elements", "aliases"):
            if docs[name].get(part) != spec[name].get(part):
                found.append(f"{place}{name}: {part} differ")
        inner = docs[name].get("suboptions") or {}, spec[name].get("options") or {}
        found += differences(*inner, f"{place}{name}.")
    return found


def fields(options: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every option, those of entries included."""
    for name, option in options.items():
        yield name, option
        yield from fields(option.get("options") or {})


def faults_of(name: str, capture: Any, **options: Any) -> str:
    """What a module says of invalid options, all of it."""
    given = {**BESIDE.get(name, {}), **options, "_ansible_check_mode": True, "_ansible_remote_tmp": "/dev/null"}
    with patch_module_args(given), pytest.raises(SystemExit):
        MODULES[name].main()
    result = json.loads(capture.readouterr().out)
    return "\n".join(result["faults"]) if "faults" in result else str(result.get("msg"))


@pytest.mark.parametrize("name", MODULES)
def test_documentation_and_argument_spec_agree(name: str) -> None:
    assert differences(documented(name), MODULES[name].ARGUMENT_SPEC) == []


@pytest.mark.parametrize(
    ("path", "part", "value"),
    [
        (["rules", "options", "type"], "required", False),
        (["rules", "options", "type"], "choices", ["dnat", "snat"]),
        (["rules", "options", "protocol"], "default", "tcp"),
        (["rules", "options", "to_port"], "type", "int"),
        (["rules", "options"], "to_ports", {"type": "str"}),
        (["rules"], "elements", "str"),
        (["rules", "options", "name"], "aliases", ["label"]),
        ([], "purge", {"type": "bool", "default": True}),
    ],
)
def test_control_a_spec_that_differs_in_one_part_is_noticed(path: list[str], part: str, value: object) -> None:
    # Through JSON, because a deep copy would keep options that share one dictionary shared.
    spec = json.loads(json.dumps(MODULES["nat_rules"].ARGUMENT_SPEC))
    node: Any = spec
    for key in path:
        node = node[key]
    node[part] = value
    assert len(differences(documented("nat_rules"), spec)) == 1


@pytest.mark.parametrize("name", MODULES)
def test_an_option_is_of_the_type_that_it_has(name: str) -> None:
    assert [field for field, option in fields(MODULES[name].ARGUMENT_SPEC) if option.get("type") == "raw"] == []


@pytest.mark.parametrize(("name", "option"), LISTS)
def test_the_engine_requires_what_the_documentation_says(
    name: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    suboptions = documented(name)[option]["suboptions"]
    required = {field for field, spec in suboptions.items() if spec.get("required")}
    said = faults_of(name, capsys, **{option: [{}]})
    missing = set(re.findall(r"\b(\w+) is missing", said)) & set(suboptions)
    # A port is required by protocol, which the description says.
    assert missing - ({"port"} if name == "line_check" else set()) == required, said


def choices() -> list[Any]:
    """Every option of an entry that has choices, one level deep."""
    return [
        pytest.param(name, option, field, spec["choices"], id=f"{name}-{option}-{field}")
        for name, option in LISTS
        for field, spec in documented(name)[option]["suboptions"].items()
        if "choices" in spec and spec["type"] == "str"
    ]


@pytest.mark.parametrize(("name", "option", "field", "allowed"), choices())
def test_the_engine_takes_the_choices_of_the_documentation(
    name: str, option: str, field: str, allowed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    said = faults_of(name, capsys, **{option: [{field: "nonsense"}]})
    match = re.search(f'{field} "nonsense": not one of ([a-z0-9, -]+)', said)
    assert match, said
    assert match[1].split(", ") == allowed


def test_the_engine_takes_the_choices_of_routes(capsys: pytest.CaptureFixture[str]) -> None:
    suboptions = documented("policy_routing")["tables"]["suboptions"]["routes"]["suboptions"]
    routes = [{"destination": "default", "type": "nonsense", "family": "nonsense"}]
    said = faults_of("policy_routing", capsys, tables=[{"id": 1, "routes": routes}])
    for field in ("type", "family"):
        assert f'{field} "nonsense": not one of {", ".join(suboptions[field]["choices"])}' in said


class SpecSeenError(Exception):
    """Carries the argument spec that a module hands to Ansible."""


# The steps of a role are no entries of an engine.
@pytest.mark.parametrize("name", sorted(set(MODULES) - {"role_steps"}))
def test_ansible_leaves_the_entries_of_judged_lists_to_the_engine(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(_self: object, argument_spec: dict[str, Any], **_more: object) -> None:
        raise SpecSeenError(argument_spec)

    monkeypatch.setattr(basic.AnsibleModule, "__init__", seen)
    with pytest.raises(SpecSeenError) as raised:
        MODULES[name].main()
    spec = raised.value.args[0]
    assert set(spec) == set(MODULES[name].ARGUMENT_SPEC)
    lists = {option: part for option, part in MODULES[name].ARGUMENT_SPEC.items() if part.get("type") == "list"}
    entries = {option for option, part in lists.items() if part.get("options")}
    assert entries == set(JUDGED.get(name, ()))
    assert [option for option in lists if spec[option].get("options")] == []
