# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name server of a host: its options, and the files and the service as one plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.dns import name_server, name_server_engine
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput, StepFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.rollback import apply_or_restore

ZONE: dict[str, Any] = {
    "zone": "svc.example.com",
    "key_name": "web",
    "nameservers": [
        {"name": "ns-a.svc.example.com", "addresses": ["203.0.113.10", "2001:db8:a::10"]},
        {"name": "ns-b.svc.example.com", "addresses": ["198.51.100.20"]},
    ],
    "records": [{"domain": "www.svc.example.com", "addresses": ["203.0.113.10", "198.51.100.20"]}],
}
SECRET = "c2VjcmV0"
OPTIONS: dict[str, Any] = {"listen": ["203.0.113.10"], "zones": [ZONE], "key_secrets": {"web": SECRET}}


class PretendedHost(name_server_engine.NameServerHost):
    """A host with files, whose service only notes what it is told."""

    def __init__(self, root: Path, systemd: bool = True) -> None:
        super().__init__(str(root))
        self.has_systemd = systemd
        self.runs, self.told, self.fails = False, list[str](), False

    def program(self, name: str) -> str:
        """A place."""
        return f"/usr/sbin/{name}"

    def others_at(self, *_place: object) -> list[str]:
        """None."""
        return []

    def is_running(self) -> bool:
        """Whether it was started."""
        return self.runs

    def start(self) -> None:
        """Note it."""
        self.told.append("start")
        self.runs = not self.fails

    def reload(self) -> None:
        """Note it."""
        self.told.append("reload")

    def stop(self) -> None:
        """Note it."""
        self.told.append("stop")
        self.runs = False

    def clean(self) -> None:
        """Note it."""
        self.told.append("clean")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PretendedHost:
    made = PretendedHost(tmp_path)
    monkeypatch.setattr(name_server_engine, "_fault", lambda zone: "" if made.runs else f"{zone.name}: no answer")
    return made


def converge(host: PretendedHost, options: dict[str, Any]) -> list[str]:
    """Apply the plan, and return its actions."""
    engine = name_server_engine.NameServerEngine(name_server.parse(options), host, patience=0)
    current = engine.read()
    plan = engine.plan(current)
    if plan.actions:
        apply_or_restore(engine, plan, current)
    return [str(action) for action in plan.actions]


def test_a_server_is_installed_once_and_reads_a_changed_zone_without_a_restart(host: PretendedHost) -> None:
    done = converge(host, OPTIONS)
    assert done[-1] == "add service multihome-dns.service"
    assert host.told == ["start"]
    assert converge(host, OPTIONS) == []
    more = {**ZONE, "records": [{"domain": "www.svc.example.com", "addresses": ["203.0.113.10"]}]}
    done = converge(host, {**OPTIONS, "zones": [more]})
    assert "replace file /etc/multihome/name_server/svc.example.com.zone" in done
    assert host.told == ["start", "reload"]
    # Other addresses need a restart.
    converge(host, {**OPTIONS, "zones": [more], "listen": ["203.0.113.10", "203.0.113.11"]})
    assert host.told == ["start", "reload", "start"]


def test_without_a_zone_everything_is_removed(host: PretendedHost) -> None:
    converge(host, OPTIONS)
    done = converge(host, {"zones": []})
    assert done[0] == "remove service multihome-dns.service"
    assert host.texts() == {}
    assert host.told == ["start", "stop", "clean"]
    assert converge(host, {"zones": []}) == []


def test_a_server_that_does_not_answer_is_undone(host: PretendedHost) -> None:
    host.fails = True
    with pytest.raises(Exception, match="no answer") as caught:
        converge(host, OPTIONS)
    assert not isinstance(caught.value, StepFailed)
    assert host.texts() == {}


def test_the_secret_is_in_one_file_that_only_root_reads_and_in_no_result(host: PretendedHost, tmp_path: Path) -> None:
    converge(host, OPTIONS)
    found = [path for path in tmp_path.rglob("*") if path.is_file() and SECRET in path.read_text()]
    assert [path.name for path in found] == ["knot.conf"]
    assert found[0].stat().st_mode & 0o777 == 0o600
    engine = name_server_engine.NameServerEngine(name_server.parse({"zones": []}), host)
    plan = engine.plan(engine.read())
    assert SECRET not in str((engine.lines(plan), engine.before(plan), [str(action) for action in plan.actions]))


def test_a_key_without_secret_is_read_from_its_file_or_refused(host: PretendedHost) -> None:
    with pytest.raises(InvalidInput, match="key_secrets has no secret of web"):
        converge(host, {**OPTIONS, "key_secrets": {}})
    text = f'key "web" {{\n\talgorithm hmac-sha256;\n\tsecret "{SECRET}";\n}};\n'
    host.files.save("/etc/multihome/keys/web.key", text, 0o600)
    converge(host, {**OPTIONS, "key_secrets": {}})
    assert SECRET in (host.files.load(name_server.CONFIGURATION) or "")


def test_all_faults_are_reported_at_once_and_none_shows_the_secret() -> None:
    with pytest.raises(InvalidInput) as caught:
        name_server.parse(
            {
                "listen": ["203.0.113.300"],
                "zones": [
                    {**ZONE, "nameservers": [{"name": "ns.example.net", "addresses": ["192.0.2.300"]}]},
                    {**ZONE, "zone": "other.example.com", "colour": "red"},
                ],
                "key_secrets": {"web": "not base64!"},
            }
        )
    said = str(caught.value)
    assert 'listen: "203.0.113.300"' in said
    assert "192.0.2.300" in said
    assert "zones[0] (svc.example.com)" in said
    assert 'unknown field "colour"' in said
    assert "not base64" not in said


def test_a_secondary_may_transfer_the_zone_and_nobody_else() -> None:
    secondary = {**ZONE, "secondaries": [{"name": "ns.example.net", "addresses": ["192.0.2.54"]}]}
    text = name_server.parse({**OPTIONS, "zones": [secondary]}).configuration("/x")
    assert "action: transfer" in text
    assert 'notify: "secondaries svc.example.com"' in text
    assert "transfer" not in name_server.parse(OPTIONS).configuration("/x")
