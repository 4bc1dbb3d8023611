# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find what a document hands to the collection: tasks, roles, role variables and the three lists; judge each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.multihome.linux.tests.unit.plugins import specifications

NAME = re.compile(r"\bmultihome\.linux\.([a-z][a-z0-9_]*)")
FENCE = re.compile(
    r"^(?P<fence>`{3,})(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=fence)\s*$", re.MULTILINE | re.DOTALL
)
ROLE_ACTIONS = ("include_role", "import_role")


@dataclass
class Findings:
    """What was found in a document, each with its name, and the faults of it."""

    modules: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    declarations: int = 0
    faults: list[str] = field(default_factory=list)


def markdown_blocks(text: str) -> list[str]:
    """The fenced YAML blocks of a Markdown text."""
    return [match["text"] for match in FENCE.finditer(text) if match["language"] in ("yaml", "yml")]


def judge_file(path: Path) -> Findings:
    """Judge a YAML file, or the YAML blocks and the names in a Markdown file."""
    text = path.read_text()
    return judge(markdown_blocks(text) if path.suffix == ".md" else [text], text)


def judge(blocks: list[str], text: str = "") -> Findings:
    """Judge the blocks of one text; a list declared in an earlier one holds on in the later ones."""
    findings = Findings()
    unknown = set(NAME.findall("\n".join((text, *blocks)))) - specifications.known_names()
    findings.faults += [f"multihome.linux.{name} does not exist" for name in sorted(unknown)]
    declaration: dict[str, Any] = {name: [] for name in specifications.LISTS}
    for block in blocks:
        try:
            documents = list(yaml.safe_load_all(block))
        except yaml.YAMLError as error:
            findings.faults.append(f"not YAML: {error}")
            continue
        for mapping in (mapping for document in documents for mapping in mappings(document)):
            _judge_mapping(mapping, findings)
            if lists := {name: mapping[name] for name in specifications.LISTS if name in mapping}:
                declaration |= lists
                findings.declarations += 1
                findings.faults += specifications.declaration_faults(declaration)
    return findings


def mappings(node: object) -> Iterator[dict[str, Any]]:
    """Every mapping in a document, however deep: plays, blocks, tasks, variables."""
    if isinstance(node, dict):
        yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from mappings(child)


def _judge_mapping(mapping: Mapping[str, Any], findings: Findings) -> None:
    """Judge one mapping as what it may be: a task, a play with roles, or a set of variables."""
    variables = mapping.get("vars") or {}
    for key, value in mapping.items():
        if match := NAME.fullmatch(str(key)):
            findings.modules.append(match[1])
            findings.faults += specifications.module_faults(match[1], value)
        elif str(key).rpartition(".")[2] in ROLE_ACTIONS and isinstance(value, Mapping):
            _judge_role(value.get("name"), variables, findings)
        elif key == "roles" and isinstance(value, list):
            for entry in value:
                given = entry if isinstance(entry, Mapping) else {"role": entry}
                inner = {**variables, **given, **(given.get("vars") or {})}
                _judge_role(given.get("role", given.get("name")), inner, findings)
    for role in specifications.roles():
        if any(str(key).startswith(f"{role}_") for key in mapping):
            findings.roles.append(role)
            findings.faults += specifications.role_faults(role, mapping, complete=False)


def _judge_role(name: object, variables: Mapping[str, Any], findings: Findings) -> None:
    """Judge the inclusion of a role, if it is one of the collection's, with the variables written beside it."""
    if match := NAME.fullmatch(str(name)):
        findings.roles.append(match[1])
        findings.faults += specifications.role_faults(match[1], variables, complete=True)
