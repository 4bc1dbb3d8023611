# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is fed with hostile input, and how it may answer: with a result, or with an error of its own that reads well."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import converge
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import MultihomeError
from ansible_collections.multihome.linux.plugins.module_utils._core.host import programs
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.stored_states import ENGINES, States
from ansible_collections.multihome.linux.plugins.module_utils._core.store.format import KINDS, VERSION
from ansible_collections.multihome.linux.tests.unit.filter import declarations
from ansible_collections.multihome.linux.tests.unit.filter.derived import everything
from ansible_collections.multihome.linux.tests.unit.plugins.specifications import modules

from . import hostile

GOLDEN = Path(__file__).resolve().parents[1] / "unit" / "nat" / "golden"
# A line of a message longer than this hides the rest from its reader.
LONGEST_LINE = 2000
_VERSIONS = {False: "nftables v1.0.6 (Lester Gooch #5)", True: "iptables v1.8.9 (nf_tables)"}
_SAVED = """*nat
:PREROUTING ACCEPT [0:0]
:multihome-destination - [0:0]
-A PREROUTING -m comment --comment "multihome.linux" -j multihome-destination
-A multihome-destination -d 203.0.113.1/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.1:8080
COMMIT
"""


@dataclass(frozen=True)
class Target:
    """One kind of input: ``seeds`` are good ones, ``change`` makes one hostile, ``feed`` raises for a wrong answer."""

    name: str
    seeds: Callable[[], Sequence[Any]]
    change: Callable[[Any, random.Random], Any]
    feed: Callable[[Any], None]


class Unreadable(AssertionError):
    """A message that an administrator cannot read: a very long line, or characters that change the display."""


def judge(message: str) -> None:
    """Raise Unreadable for a message that is too long or changes the terminal."""
    longest = max(map(len, message.splitlines()), default=0)
    if longest > LONGEST_LINE:
        raise Unreadable(f"a line of {longest} characters: {message[:200]!r}")
    strange = {char for char in message if not char.isprintable() and char != "\n"}
    if strange:
        raise Unreadable(f"characters {sorted(map(ascii, strange))}: {message[:200]!r}")


def feed_declaration(value: Any) -> None:
    """Derive everything for every host from a declaration."""
    try:
        everything(value)
    except AnsibleFilterError as error:
        judge(str(error))


def feed_options(value: Any) -> None:
    """Make an engine of a module's options, as the module does: ``[kind, options]``."""
    if not isinstance(value, list) or len(value) != 2:
        return
    kind, options = value
    if not isinstance(kind, str) or kind not in ENGINES or not isinstance(options, dict):
        return
    known = modules()[kind].ARGUMENT_SPEC
    complete = {name: spec.get("default") for name, spec in known.items()} | {
        name: given for name, given in options.items() if name in known and _fits(given, known[name])
    }
    try:
        ENGINES[kind](complete)
    except MultihomeError as error:
        judge(str(error))


def _fits(value: Any, spec: dict[str, Any]) -> bool:
    """Tell whether Ansible would hand a value to the module: it checks the outermost type, and choices."""
    kinds = {"list": list, "dict": dict, "bool": bool, "int": int, "str": str}
    return isinstance(value, kinds.get(spec.get("type", "str"), object)) and value in spec.get("choices", [value])


def feed_stored(value: Any) -> None:
    """Have the keeper read a directory with a stored file of this text beside a good one, which must be read."""
    if not isinstance(value, list) or len(value) != 2:
        return
    name, text = value
    if not isinstance(name, str) or not isinstance(text, str) or "/" in name or "\x00" in name or not name.strip("."):
        return
    with tempfile.TemporaryDirectory() as directory:
        for file, content in ((name[:60], text), ("ip_aliases.json", _stored("ip_aliases"))):
            path = Path(directory, file.encode("utf-8", "replace").decode())
            path.write_bytes(content.encode("utf-8", "surrogatepass"))
            path.chmod(0o600)
        stored = States(directory, ENGINES, directory)
        states = stored.reload()
    for state in states:
        stored.prepare(state)
        judge(str(state.fault))
    good = [state for state in states if state.file == "ip_aliases.json"]
    if not good or good[0].engine is None:
        raise AssertionError(f"the good file was not read: {[state.fault for state in good]}")


def feed_answers(value: Any) -> None:
    """Have each engine of a packet filter read what its programs answer: ``{"nft": text, "iptables-save": text}``."""
    if not isinstance(value, dict):
        return

    def run(path: str, arguments: Sequence[str], *_rest: Any, **_options: Any) -> tuple[int, str, str]:
        if "--version" in arguments:
            return (
                0,
                "nftables v1.0.6"
                if "nft" in Path(path).name and "tables" not in path
                else "iptables v1.8.9 (nf_tables)",
                "",
            )
        answer = value.get("iptables-save" if "tables" in Path(path).name else "nft")
        return (0, answer, "") if isinstance(answer, str) else (1, "", str(answer))

    for kind in ("nat_rules", "connection_marks", "forward_policy"):
        for backend in ("nftables", "iptables"):
            with mock.patch.object(programs, "run", run):
                try:
                    engine = ENGINES[kind]({**json.loads(_stored(kind)), "backend": backend, "purge": False})
                    converge(engine, check_mode=True, lock=nullcontext)
                except MultihomeError as error:
                    judge(str(error))


def _stored(kind: str) -> str:
    settings = {
        "protocol": 109, "table": "multihome", "backend": "auto", "mask": "0xff", "policy": "leave",
        "balance_from": [], "balance_exclude": [], "balance_networks": [], "keep_networks": [],
    }  # fmt: skip
    lists: dict[str, Any] = {
        "aliases": [{"address": "192.168.168.1/24", "interface": "eth0"}],
        "tables": [{"id": 1001, "name": "unicom", "routes": [{"destination": "default", "gateway": "192.168.168.11"}]}],
        "rules": [{"priority": 23010, "source": "192.168.168.1", "table": 1001}]
        if kind == "policy_routing"
        else [{"type": "masquerade", "family": "ipv4", "out_interface": "eth0"}],
        "marks": [{"mark": 1, "in_interface": "wan0"}],
        "balance": [],
        "accept": [{"mapped_to": "10.0.0.1"}],
    }
    known = KINDS[kind]
    content = {name: settings[name] for name in known.settings} | {
        name: lists[name] for name in known.lists if name in lists
    }
    return json.dumps({"version": VERSION, "kind": kind, **content})


def _declarations() -> list[Any]:
    shapes = [declarations.seed(), declarations.shape_a([1, 2, 3]), declarations.shape_b([1, 7])]
    return [*shapes, declarations.with_one_address(declarations.shape_b([2, 9]))]


def _options() -> list[Any]:
    found = []
    for kind in ENGINES:
        for task in yaml.safe_load(modules()[kind].EXAMPLES):
            options = task.get(f"multihome.linux.{kind}")
            if isinstance(options, dict):
                found.append([kind, options])
    return found


def _files() -> list[Any]:
    return [[f"{kind}{suffix}.json", _stored(kind)] for kind in ENGINES for suffix in ("", ".110")]


def _answers() -> list[Any]:
    texts = [path.read_text() for path in sorted(GOLDEN.glob("nft-*.json"))]
    return [{"nft": text, "iptables-save": _SAVED} for text in texts]


def _change_one_text(value: Any, draw: random.Random) -> Any:
    """Change the file's text (and rarely its name), or one of the programs' answers."""
    if isinstance(value, list):
        name, text = value
        return [name if draw.random() < 0.9 else hostile.changed_text(name, draw)[:60], _text(text, draw)]
    chosen = draw.choice(sorted(value))
    return {**value, chosen: _text(value[chosen], draw) if draw.random() < 0.95 else draw.choice((None, "", "Killed"))}


def _text(text: str, draw: random.Random) -> str:
    """Change JSON as data half of the time, and any text as text."""
    if text.lstrip()[:1] in ("{", "[") and draw.random() < 0.6:
        return json.dumps(hostile.changed(json.loads(text), draw))
    return hostile.changed_text(text, draw)


TARGETS = (
    Target("declaration", _declarations, hostile.changed, feed_declaration),
    Target("options", _options, hostile.changed, feed_options),
    Target("stored", _files, _change_one_text, feed_stored),
    Target("answers", _answers, _change_one_text, feed_answers),
)
