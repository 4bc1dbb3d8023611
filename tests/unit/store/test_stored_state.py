# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is stored, how runs merge, and what is refused when it is read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import converge
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput, StoreFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.store import format as stored_state
from ansible_collections.multihome.linux.plugins.module_utils._core.store.format import (
    CHOICES,
    KINDS,
    Refused,
    Stored,
    parse,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.store.persistence import Store
from ansible_collections.multihome.linux.plugins.modules import connection_marks, forward_policy, nat_rules

from ..keeper.hosts import Host

FIRST, SECOND = ({"address": f"10.0.0.{n}/24", "interface": "eth0"} for n in (1, 2))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_what_stands_is_stored_for_root_alone(host: Host) -> None:
    outcome = host.aliases([{**FIRST, "name": "unicom"}])
    assert outcome.actions()[-1] == {"op": "add", "object": {"file": str(host.file("ip_aliases"))}}
    assert host.stored("ip_aliases") == {"version": 1, "kind": "ip_aliases", "protocol": 109, "aliases": [FIRST]}
    assert oct(host.file("ip_aliases").stat().st_mode & 0o7777) == "0o600"
    assert oct(host.file("ip_aliases").parent.stat().st_mode & 0o7777) == "0o700"
    before = host.file("ip_aliases").stat()
    assert not host.aliases([FIRST]).changed
    assert host.file("ip_aliases").stat() == before


def test_without_purge_entries_are_merged_and_with_it_they_are_all(host: Host) -> None:
    host.aliases([FIRST])
    labelled = {**FIRST, "label": "eth0:1"}
    host.aliases([SECOND])
    assert host.stored("ip_aliases")["aliases"] == [FIRST, SECOND]
    host.aliases([labelled])
    assert host.stored("ip_aliases")["aliases"] == [labelled, SECOND]
    host.aliases([SECOND], purge=True)
    assert host.stored("ip_aliases")["aliases"] == [SECOND]
    assert host.aliases([], purge=True).actions()[-1]["op"] == "remove"
    assert not host.file("ip_aliases").exists()
    assert not host.aliases([], purge=True).changed


def test_of_a_list_that_is_not_given_what_was_stored_stays(host: Host) -> None:
    table = {"id": 1001, "name": "unicom", "routes": [{"destination": "default", "gateway": "10.0.0.254"}]}
    rule = {"priority": 23010, "family": "ipv4", "source": "10.0.0.1", "table": 1001}
    host.aliases([FIRST])
    host.routing(tables=[table], rules=None, purge=True)
    assert "rules" not in host.stored("policy_routing")
    host.routing(tables=None, rules=[rule], purge=True)
    assert host.stored("policy_routing")["tables"] == [table]
    assert host.stored("policy_routing")["rules"] == [rule]
    host.routing(tables=[], rules=None, purge=True)
    assert host.stored("policy_routing")["tables"] == []
    host.routing(tables=None, rules=[], purge=True)
    assert not host.file("policy_routing").exists()


def test_another_owner_has_a_file_of_its_own(host: Host) -> None:
    host.aliases([FIRST])
    host.aliases([SECOND], protocol=110, purge=True)
    assert host.stored("ip_aliases")["aliases"] == [FIRST]
    assert host.stored("ip_aliases.110")["aliases"] == [SECOND]


def test_check_mode_foretells_and_writes_nothing(host: Host) -> None:
    foretold = host.aliases([FIRST], check=True)
    assert not host.file("ip_aliases").exists()
    assert foretold.actions() == host.aliases([FIRST]).actions()


def test_what_stands_already_is_stored_all_the_same(host: Host) -> None:
    host.aliases([FIRST], persist=False)
    assert [action["object"] for action in host.aliases([FIRST]).actions()] == [{"file": str(host.file("ip_aliases"))}]


def test_a_route_that_somebody_else_has_put_there_is_theirs_to_put_back(host: Host) -> None:
    theirs = {"destination": "default", "gateway": "10.0.0.254"}
    ours = {"destination": "10.9.0.0/16", "gateway": "10.0.0.254"}
    host.aliases([FIRST])
    other = host.options(tables=[{"id": 254, "routes": [theirs]}], rules=None, protocol=110)
    converge(host.routing_engine(other), False, contextlib.nullcontext)
    host.routing(tables=[{"id": 254, "routes": [theirs, ours]}], rules=None)
    assert host.stored("policy_routing")["tables"][0]["routes"] == [ours]
    host.fake.routes = [route for route in host.fake.routes if route.header["proto"] != 110]
    host.routing(tables=[{"id": 254, "routes": [theirs, ours]}], rules=None)
    assert theirs in host.stored("policy_routing")["tables"][0]["routes"]


def test_a_file_that_cannot_be_written_changes_nothing(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.aliases([FIRST])
    text, kernel = host.file("ip_aliases").read_text(), host.fake.state()

    def full(_descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    host.fake.read_only = True
    with pytest.raises(StoreFailed, match="No space left on device; the old file is as it was\nthe host is as it was"):
        host.aliases([SECOND])
    assert (host.file("ip_aliases").read_text(), host.fake.state()) == (text, kernel)
    assert [path.name for path in host.directory.iterdir()] == ["ip_aliases.json"]


def test_a_file_that_cannot_be_renamed_undoes_the_run(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.aliases([FIRST])
    text, kernel = host.file("ip_aliases").read_text(), host.fake.state()

    def refuse(_old: str, _new: str) -> None:
        raise OSError(5, os.strerror(5))

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(StoreFailed, match="the host is as it was before"):
        host.aliases([SECOND])
    assert (host.file("ip_aliases").read_text(), host.fake.state()) == (text, kernel)
    assert [path.name for path in host.directory.iterdir()] == ["ip_aliases.json"]


def test_a_run_that_the_kernel_refuses_stores_nothing(host: Host) -> None:
    host.aliases([FIRST])
    text = host.file("ip_aliases").read_text()
    # What the kernel would have to give for an interface that is not there.
    with pytest.raises(InvalidInput, match="eth7"):
        host.aliases([{"address": "10.7.0.1/24", "interface": "eth7"}])
    assert host.file("ip_aliases").read_text() == text
    assert [path.name for path in host.directory.iterdir()] == ["ip_aliases.json"]


GOOD = {"version": 1, "kind": "ip_aliases", "protocol": 109, "aliases": [FIRST]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text[:-4], "not JSON"),
        (lambda _text: "[]", "no version"),
        (
            lambda text: text.replace('"version": 1', '"version": 2'),
            "of version 2, and this collection knows none",
        ),
        *[
            (lambda text, wrong=wrong: text.replace('"version": 1', f'"version": {wrong}'), f"version {wrong} is not")
            for wrong in ("0", "-7", "true", "1.5", "null")
        ],
        (lambda _text: 100_000 * "[", "nested too deeply"),
        (lambda text: text.replace("ip_aliases", "firewalls"), 'kind "firewalls" is none of'),
        (lambda text: text.replace('"aliases"', '"rules"'), "unknown: rules"),
        (lambda text: text.replace('"protocol": 109', '"protocol": "109"'), "protocol is not of type int"),
        (lambda text: text.replace('"protocol": 109,', ""), "protocol is missing"),
        (lambda text: text.replace("109", "110"), r"the file name should be ip_aliases\.110\.json"),
    ],
)
def test_a_stored_file_that_is_not_ours_to_understand_is_refused_and_left(
    host: Host, change: Callable[[str], str], reason: str
) -> None:
    good = Stored("ip_aliases", {key: GOOD[key] for key in ("protocol", "aliases")}).text()
    assert parse(good, "ip_aliases.json").options["aliases"] == [FIRST]  # the control
    text = change(good)
    assert text != good
    with pytest.raises(Refused, match=reason):
        parse(text, "ip_aliases.json")
    host.directory.mkdir(mode=0o700)
    host.file("ip_aliases").write_text(text)
    host.file("ip_aliases").chmod(0o600)
    host.fake.read_only = True
    with pytest.raises(InvalidInput, match=rf"persist: .*ip_aliases\.json: .*{reason}.*not overwritten"):
        host.aliases([SECOND], purge=True)
    assert host.file("ip_aliases").read_text() == text


@pytest.mark.parametrize(("name", "wrong"), [("backend", "auta"), ("backend", ""), ("policy", "drip")])
def test_a_stored_choice_that_no_module_offers_is_refused(name: str, wrong: str) -> None:
    """The backend "auta" was taken for iptables, beside a table of nftables."""
    options = {"protocol": 109, "table": "multihome", "backend": "auto", "policy": "leave", "accept": []}
    good = Stored("forward_policy", options)
    assert parse(good.text(), "forward_policy.json") == good  # the control
    with pytest.raises(Refused, match=f'{name} "{wrong}" is none of'):
        parse(Stored("forward_policy", {**options, name: wrong}).text(), "forward_policy.json")


@pytest.mark.parametrize("module", [connection_marks, forward_policy, nat_rules])
def test_the_stored_choices_are_those_of_the_modules(module: Any) -> None:
    spec = module.ARGUMENT_SPEC
    offered = {
        name: tuple(option["choices"]) for name, option in spec.items() if "choices" in option and name in CHOICES
    }
    assert offered == {name: CHOICES[name] for name in offered}
    assert "backend" in offered


def test_a_stored_file_that_others_may_write_is_refused(host: Host) -> None:
    host.aliases([FIRST])
    host.file("ip_aliases").chmod(0o620)
    with pytest.raises(InvalidInput, match="others than root may write"):
        host.aliases([FIRST])
    host.file("ip_aliases").unlink()
    host.file("ip_aliases").symlink_to(host.file("elsewhere"))
    with pytest.raises(InvalidInput, match="symbolic link"):
        host.aliases([FIRST])


def test_a_run_that_contradicts_what_is_stored_is_told(host: Host) -> None:
    options = host.options(aliases=[], purge=True)
    engine = host.alias_engine(options)
    store = Store(engine, "ip_aliases", options, host.alias_engine, *host.directories)
    assert store.contradicted(engine.plan(engine.read())) is None
    host.aliases([FIRST])
    said = store.contradicted(engine.plan(engine.read()))
    assert said is not None
    assert "set persist: true here too" in said
    same = host.alias_engine(host.options(aliases=[FIRST]))
    store = Store(same, "ip_aliases", options, host.alias_engine, *host.directories)
    assert store.contradicted(same.plan(same.read())) is None


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_stored_under_its_own_name(kind: str) -> None:
    of_scope = KINDS[kind]
    assert stored_state.file_name(kind, {of_scope.scope: of_scope.default_scope}) == f"{kind}.json"
    # A kind without scope has one file.
    other = f"{kind}.other.json" if of_scope.scope else f"{kind}.json"
    assert stored_state.file_name(kind, {of_scope.scope: "other"}) == other


def test_a_file_of_an_earlier_release_is_read_as_before() -> None:
    earlier = (
        '{"version": 1, "kind": "connection_marks", "protocol": 109, "table": "multihome", "backend": "auto",'
        ' "mask": "0xff", "balance_from": [], "balance_exclude": [], "marks": [], "balance": []}'
    )
    options = parse(earlier, "connection_marks.json").options
    assert (options["balance_networks"], options["keep_networks"]) == ([], [])
    # The control: an option that every release has stored cannot be missing.
    with pytest.raises(Refused, match="balance_from is missing"):
        parse(earlier.replace(' "balance_from": [],', ""), "connection_marks.json")
