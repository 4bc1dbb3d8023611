# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection's modules, roles and filters accept, read from themselves, and a judge of what they are given.

A fault is one line of text; an empty list of faults means that the input would be taken.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

COLLECTION = "multihome.linux"
ROOT = Path(__file__).resolve().parents[3]
LISTS = ("multihome_lines", "multihome_servers", "multihome_services", "multihome_networks")

# What stands for a template's result, by the type its option wants.
SAMPLES: dict[str, Any] = {"bool": True, "dict": {}, "float": 1.0, "int": 1, "list": []}


def python_module(path: Path) -> ModuleType:
    """Import a plugin of the collection by its full name."""
    dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return importlib.import_module(f"ansible_collections.{COLLECTION}.{dotted}")


def modules() -> dict[str, ModuleType]:
    """The collection's modules by name."""
    return {path.stem: python_module(path) for path in sorted(ROOT.glob("plugins/modules/[a-z]*.py"))}


def roles() -> dict[str, Path]:
    """The directories of the collection's roles by name."""
    return {path.parent.parent.name: path.parent.parent for path in sorted(ROOT.glob("roles/*/meta/main.yml"))}


def filters() -> dict[str, Callable[..., Any]]:
    """The collection's filters by name."""
    found: dict[str, Callable[..., Any]] = {}
    for path in sorted(ROOT.glob("plugins/filter/[a-z]*.py")):
        found |= python_module(path).FilterModule().filters()
    return found


def known_names() -> set[str]:
    """Every name that may follow `multihome.linux.` in a text: modules, roles, filters, playbooks and the rest."""
    plugins = {path.stem for path in ROOT.glob("plugins/*/*.py")}
    playbooks = {path.stem for path in ROOT.glob("playbooks/*.yml")}
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
    return plugins | playbooks | set(groups) | set(roles()) | set(filters())


def role_options(directory: Path) -> dict[str, Any]:
    """The options of all entry points of a role, from its meta/argument_specs.yml."""
    document = yaml.safe_load((directory / "meta" / "argument_specs.yml").read_text())
    return {name: spec for entry in document["argument_specs"].values() for name, spec in entry["options"].items()}


def is_template(value: object) -> bool:
    """Whether Ansible would compute this value at run time."""
    return isinstance(value, str) and "{{" in value


def with_samples(value: Any, spec: Mapping[str, Any]) -> Any:
    """The value with a sample of the wanted type in place of each template, so that the rest can be judged."""
    if is_template(value):
        if "choices" in spec:
            return spec["choices"][0]
        return copy.copy(SAMPLES.get(spec.get("type", "str"), "sample"))
    options = spec.get("options")
    if options and isinstance(value, Mapping):
        return {name: with_samples(part, options.get(name, {})) for name, part in value.items()}
    if isinstance(value, list):
        element = {"type": spec.get("elements", "raw"), "options": options}
        return [with_samples(part, element) for part in value]
    return value


def option_faults(
    given: Mapping[str, Any], options: Mapping[str, Any], rules: Mapping[str, Any] | None = None
) -> list[str]:
    """What Ansible's own check of arguments has against the given options."""
    concrete = with_samples(dict(given), {"options": options})
    validator = ArgumentSpecValidator(copy.deepcopy(dict(options)), **(rules or {}))
    return list(validator.validate(concrete).error_messages)


def module_faults(name: str, given: object) -> list[str]:
    """What a module has against a task's options; none may be given at all."""
    module = modules().get(name)
    if module is None:
        return [f"{COLLECTION}.{name} is not a module"]
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        return [f"{COLLECTION}.{name}: its options are not a mapping"]
    faults = option_faults(given, module.ARGUMENT_SPEC, getattr(module, "SPEC_RULES", None))
    return [f"{COLLECTION}.{name}: {fault}" for fault in faults]


def role_faults(name: str, variables: Mapping[str, Any], *, complete: bool) -> list[str]:
    """What a role has against variables; those of others are left out.

    complete: whether these are all the variables it gets, so that the required ones must be among them.
    """
    directory = roles().get(name)
    if directory is None:
        return [f"{COLLECTION}.{name} is not a role"]
    options = role_options(directory)
    if not complete:
        options = {option: {**spec, "required": False} for option, spec in options.items()}
    given = {option: value for option, value in variables.items() if option.startswith(f"{name}_")}
    return [f"role {COLLECTION}.{name}: {fault}" for fault in option_faults(given, options)]


def declaration_faults(declaration: Mapping[str, Any]) -> list[str]:
    """What is wrong with the lists, for every host that they name.

    A filter named like a role's variable derives it from them; the role must take what comes out.
    """
    parts = {name.removeprefix("multihome_"): declaration[name] for name in LISTS}
    lines, servers = parts["lines"], parts["servers"]
    hosts = {line.get("firewall") for line in lines} | {server.get("name") for server in servers}
    derived = filters()
    faults: list[str] = []
    for role, directory in roles().items():
        options = role_options(directory)
        for host in sorted(filter(None, hosts)):
            try:
                variables = {name: derived[name](parts, host) for name in options.keys() & derived.keys()}
            except AnsibleError as error:
                faults.append(str(error))
            else:
                faults += role_faults(role, variables, complete=False)
    return sorted(set(faults))
