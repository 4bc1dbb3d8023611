# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every example of the documentation would be taken by what it is an example of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.multihome.linux.tests.unit.plugins import documents, specifications

ROOT = specifications.ROOT
MODULES = specifications.modules()
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "roles/*/README.md", "inventory/**/*.yml")
    for path in ROOT.glob(pattern)
)
TYPES: dict[str, type | tuple[type, ...]] = {
    "bool": bool,
    "dict": dict,
    "float": (int, float),
    "int": int,
    "list": list,
    "str": str,
}


def sample_faults(name: str, value: dict[str, Any]) -> list[str]:
    """What is wrong with the samples of a return value and of all that it contains."""
    contains = value.get("contains") or {}
    faults = [fault for part, inner in contains.items() for fault in sample_faults(f"{name}.{part}", inner)]
    if "sample" not in value:
        return faults
    sample, wanted = value["sample"], value["type"]
    if wanted in TYPES and (not isinstance(sample, TYPES[wanted]) or (isinstance(sample, bool) and wanted != "bool")):
        return [*faults, f"{name}: the sample {sample!r} is not of type {wanted}"]
    if wanted == "list" and (elements := value.get("elements")) in TYPES:
        faults += [f"{name}: {part!r} is no {elements}" for part in sample if not isinstance(part, TYPES[elements])]
    entries = sample if wanted == "list" else [sample]
    for entry in entries if contains else ():
        faults += [f"{name}: {key} is not documented" for key in entry if key not in contains]
    return faults


def test_the_action_group_is_the_set_of_modules() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
    assert set(runtime["action_groups"]["multihome"]) == set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_every_example_of_a_module_fits_its_argument_spec(name: str) -> None:
    findings = documents.judge([MODULES[name].EXAMPLES])
    assert findings.faults == []
    assert name in findings.modules


@pytest.mark.parametrize("name", MODULES)
def test_every_sample_of_a_module_has_the_type_it_is_said_to_have(name: str) -> None:
    values = yaml.safe_load(MODULES[name].RETURN)
    assert values
    assert [fault for key, value in values.items() for fault in sample_faults(key, value)] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_of_a_document_would_be_taken(path: Path) -> None:
    assert documents.judge_file(path).faults == []


def missing_files(text: str) -> list[str]:
    """The files of the checkout that a document names in code spans, and that do not exist."""
    spans = re.findall(r"`((?:docs|inventory|playbooks|plugins|roles|scripts|tests)/[\w./-]+)`", text)
    return [name for name in spans if not (ROOT / name).exists()]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_document_names_exists(path: Path) -> None:
    assert missing_files(path.read_text()) == []


def test_control_a_file_that_does_not_exist_is_noticed() -> None:
    assert missing_files("See `docs/nat.md`, `docs/nut.md` and `make test`.") == ["docs/nut.md"]


@pytest.mark.parametrize("path", ["README.md", "inventory/example/group_vars/all/multihome.yml"])
def test_what_a_user_copies_declares_the_three_lists(path: str) -> None:
    assert documents.judge_file(ROOT / path).declarations >= 1


GOOD_TASK = """
- hosts: all
  tasks:
    - block:
        - multihome.linux.ip_aliases:
            aliases: [{address: 192.168.168.1/24, interface: eth0}]
            purge: "{{ purge }}"
"""
GOOD_LISTS = """
multihome_lines:
  - {name: a, id: 1, firewall: fw-a, interface: wan0, public_addresses: [203.0.113.10/24],
     gateway: 203.0.113.1, inside_addresses: [192.168.168.11]}
multihome_servers:
  - {name: web1, interface: eth0, addresses: {a: [192.168.168.1/24]}}
multihome_services:
  - {name: web, server: web1, ports: [80/tcp], lines: [a]}
"""
GOOD_ROLE = """
- hosts: web
  roles:
    - role: multihome.linux.multihomed_web
      vars:
        multihomed_web_lines: "{{ lines }}"
        multihomed_web_purge: false
"""


@pytest.mark.parametrize("good", [GOOD_TASK, GOOD_LISTS, GOOD_ROLE], ids=["task", "lists", "role"])
def test_control_what_the_wrong_ones_are_made_from_is_taken(good: str) -> None:
    assert documents.judge([good]).faults == []


@pytest.mark.parametrize(
    ("good", "right", "wrong", "fault"),
    [
        (GOOD_TASK, "linux.ip_aliases", "linux.ip_aliasses", "ip_aliasses does not exist"),
        (GOOD_TASK, "aliases:", "addresses:", "addresses"),
        (GOOD_TASK, "purge:", "purged:", "purged"),
        (GOOD_TASK, '"{{ purge }}"', "perhaps", "perhaps"),
        (GOOD_TASK, "interface:", "device:", "device"),
        (GOOD_TASK, "[{address", "[{addresses: '{{ a }}', address", "addresses"),
        (GOOD_TASK, "[{address: 192.168.168.1/24, interface: eth0}]", "[192.168.168.1/24]", "aliases"),
        (GOOD_TASK, "[{address", "[{address: [", "not YAML"),
        (GOOD_LISTS, "lines: [a]", "lines: [b]", '"b"'),
        (GOOD_LISTS, "80/tcp", "80/tpc", "80/tpc"),
        (GOOD_LISTS, "203.0.113.10/24", "203.0.113.300/24", "203.0.113.300"),
        (GOOD_ROLE, "multihomed_web\n", "multihomed_wep\n", "multihomed_wep does not exist"),
        (GOOD_ROLE, "multihomed_web_purge", "multihomed_web_purged", "multihomed_web_purged"),
        (GOOD_ROLE, '"{{ lines }}"', "{a: 1}", "multihomed_web_lines"),
        (GOOD_ROLE, "false", "perhaps", "perhaps"),
    ],
)
def test_control_a_wrong_document_is_rejected(tmp_path: Path, good: str, right: str, wrong: str, fault: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# A page\n\n```yaml\n{good.replace(right, wrong)}```\n")
    assert fault in "\n".join(documents.judge_file(page).faults)


@pytest.mark.parametrize(
    "value",
    [
        {"type": "int", "sample": "1"},
        {"type": "int", "sample": True},
        {"type": "list", "elements": "dict", "sample": ["a"]},
        {"type": "list", "elements": "dict", "contains": {"a": {"type": "str"}}, "sample": [{"b": "c"}]},
        {"type": "dict", "contains": {"a": {"type": "str", "sample": 1}}},
    ],
)
def test_control_a_wrong_sample_is_rejected(value: dict[str, Any]) -> None:
    assert len(sample_faults("value", value)) == 1
