# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All objects that stand on a machine, ours and everybody's: read as JSON, comparable, and deletable one by one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..lab.lab import Lab

FAMILIES = ("-4", "-6")
# What an object has besides what it is: how long it lasts, what it has counted, how it was made.
_PASSING = (
    "tentative",
    "nodad",
    "valid_life_time",
    "preferred_life_time",
    "expires",
    "handle",
    "packets",
    "bytes",
    "dynamic",
)
TABLE = "multihome"


@dataclass(frozen=True)
class Object:
    """One object: its kind, what it is, and the command that deletes it (none for what is not deleted alone)."""

    kind: str
    text: str
    deletion: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.text}"


def objects(lab: Lab, host: str) -> dict[str, Object]:
    """Return each object of a host's network by what it is. What repeats the same is one."""
    return {str(found): found for found in _read(lab, host)}


def differences(before: Mapping[str, Object], after: Mapping[str, Object]) -> list[str]:
    """Return what went (-) and what came (+)."""
    return [f"-{text}" for text in before if text not in after] + [f"+{text}" for text in after if text not in before]


def without_order(found: Mapping[str, Object]) -> dict[str, Object]:
    """Return the same without what follows from the order in which addresses came: the primary of each subnet."""
    kernels = re.compile(r'"prefsrc": "[^"]*", (?="protocol": "kernel")')
    return {kernels.sub("", text.replace(', "secondary": true', "")): each for text, each in found.items()}


def files(lab: Lab, host: str) -> dict[str, Object]:
    """Return what is on disk of a host's settings, ours too, and each unit that systemd knows."""
    script = "import pathlib, sys, json; from hashlib import sha256\n" + _FILES_SCRIPT
    found = json.loads(lab.exec(host, "python3", "-B", "-c", script).stdout)
    units = lab.exec(host, "systemctl", "list-unit-files", "--no-legend", "--plain").stdout.splitlines()
    kinds = {"file": [f"{path} {what}" for path, what in found.items()], "unit": [" ".join(u.split()) for u in units]}
    listed = [Object(kind, text) for kind, texts in kinds.items() for text in texts]
    return {str(each): each for each in listed}


_FILES_SCRIPT = """
found = {}
for top in ("/etc", "/usr/lib/multihome", "/usr/lib/systemd", "/usr/local", "/var/lib/multihome"):
    for path in [pathlib.Path(top), *pathlib.Path(top).rglob("*")]:
        if path.is_symlink():
            found[str(path)] = f"-> {path.readlink()}"
        elif path.exists():
            kept = path.lstat()
            content = sha256(path.read_bytes()).hexdigest() if path.is_file() else "directory"
            found[str(path)] = f"{kept.st_mode:o} {kept.st_uid}:{kept.st_gid} {content}"
print(json.dumps(found))
"""


def _read(lab: Lab, host: str) -> Iterator[Object]:
    for link in json.loads(lab.exec(host, "ip", "-json", "-details", "address", "show").stdout):
        for address in link["addr_info"]:
            where = f"{address['local']}/{address['prefixlen']}"
            deletion = ("ip", "address", "del", where, "dev", link["ifname"])
            yield Object("address", _text({"dev": link["ifname"], **address}), deletion)
    for family in FAMILIES:
        for rule in json.loads(lab.exec(host, "ip", "-json", "-details", family, "rule", "show").stdout):
            yield Object(f"rule {family}", _text(rule), _rule_deletion(family, rule))
        shown = lab.exec(host, "ip", "-json", "-details", family, "route", "show", "table", "all").stdout
        for route in json.loads(shown):
            yield Object(f"route {family}", _text(route), _route_deletion(family, route))
    yield from _filters(json.loads(lab.exec(host, "nft", "--json", "list", "ruleset").stdout)["nftables"])


def _filters(parts: Sequence[Mapping[str, Any]]) -> Iterator[Object]:
    """Yield what nft lists: tables, chains, rules, and of maps and sets each element."""
    for part in parts:
        ((kind, values),) = part.items()
        if kind == "metainfo":
            continue
        place = (values["family"], values.get("table", values.get("name", "")))
        deletion: tuple[str, ...] = ()
        if kind == "table":
            deletion = ("nft", "delete", "table", *place)
        elif kind == "rule":
            deletion = ("nft", "delete", "rule", *place, values["chain"], "handle", str(values["handle"]))
        elif kind in ("map", "set") and values.get("elem"):
            deletion = ("nft", "flush", kind, *place, values["name"])
        for element in values.get("elem", []):
            yield Object(f"{kind} element", _text({"of": [*place, values["name"]], "element": element}))
        yield Object(kind, _text({name: value for name, value in values.items() if name != "elem"}), deletion)


def _rule_deletion(family: str, rule: Mapping[str, Any]) -> tuple[str, ...]:
    words = ["ip", family, "rule", "del", "priority", str(rule["priority"])]
    if rule["src"] != "all":
        words += ["from", f"{rule['src']}/{rule['srclen']}" if "srclen" in rule else rule["src"]]
    return (*words, *(["table", str(rule["table"])] if "table" in rule else []))


def _route_deletion(family: str, route: Mapping[str, Any]) -> tuple[str, ...]:
    words = ["ip", family, "route", "del", route.get("type", "unicast"), route["dst"]]
    for name, word in (("gateway", "via"), ("dev", "dev"), ("table", "table"), ("metric", "metric")):
        if name in route:
            words += [word, str(route[name])]
    return tuple(words)


def _text(value: Any) -> str:
    return json.dumps(_lasting(value), sort_keys=True)


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _lasting(part) for name, part in value.items() if name not in _PASSING}
    return [_lasting(part) for part in value] if isinstance(value, list) else value
