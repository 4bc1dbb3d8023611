# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each filter is documented as it is, and a deployment is summed up in words."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import yaml
from ansible_collections.multihome.linux.tests.unit.filter.derived import FILTERS

DOCUMENTS = Path(__file__).resolve().parents[3] / "plugins" / "filter"


def test_each_filter_has_its_document_and_each_document_its_filter() -> None:
    assert {path.stem for path in DOCUMENTS.glob("*.yml")} == set(FILTERS)


@pytest.mark.parametrize("name", FILTERS)
def test_the_options_of_a_filter_are_its_parameters(name: str) -> None:
    documentation = yaml.safe_load((DOCUMENTS / f"{name}.yml").read_text())["DOCUMENTATION"]
    options = {key: option for key, option in documentation["options"].items() if key != "_input"}
    parameters = list(inspect.signature(FILTERS[name]).parameters.values())[1:]
    positional = [word.strip() for word in documentation.get("positional", "").split(",") if word.strip()]
    assert documentation["name"] == name
    assert list(options) == positional == [parameter.name for parameter in parameters]
    for parameter in parameters:
        default = None if parameter.default in (inspect.Parameter.empty, None) else parameter.default
        said = options[parameter.name].get("default")
        assert said == (list(default) if isinstance(default, tuple) else default)
        assert options[parameter.name].get("required", False) is (parameter.default is inspect.Parameter.empty)


def test_what_changed_in_words() -> None:
    add, remove = {"op": "add", "object": {}}, {"op": "remove", "object": {}}
    variables = {
        "web1": {
            "aliases": {"changed": True, "actions": [add, add, remove]},
            "routing": {"changed": False, "actions": []},
            "packages": {"changed": True},
        },
        "web2": {"aliases": {"changed": False}, "packages": {"skipped": True, "changed": False}},
    }
    registered = {"packages": "packages", "aliases": "addresses", "routing": "rules", "nothing": "things"}
    assert FILTERS["change_summary"](["web1", "web2"], variables, registered) == [
        "web1: packages changed, 2 addresses added, 1 address removed",
        "web2: unchanged",
    ]
