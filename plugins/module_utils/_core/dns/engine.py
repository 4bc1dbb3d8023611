# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of record sets: one zone's sets, read from its primary server and replaced there in one UPDATE."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..entries import Entry, Form, Options
from ..errors import InvalidInput, ReadFailed, StepFailed
from ..host.files import Files
from ..plan import Action, Existing, Model, plan
from ..reference_texts import references
from ..references import Learned
from ..store.format import merged
from ..store.persistable import Persistable
from . import keys
from .assigned import Assigned, bound, bound_sources, earlier_values, names
from .client import TEXT, Conflict, Content, Replacement, ServerFault
from .effective import ByFamily, effective
from .keys import Key
from .lease import lease_domain
from .model import Key as SetKey
from .model import RecordSet, parse_record
from .set_plan import Current, DnsPlan, HostFile
from .transport import Source
from .updates import ZoneServers, replacements
from .written import OWNED, written
from .zone import Zone, as_records, parse

# Of the stored states.
STORE = "/etc/multihome"
KIND = "dns_records"
# Every set that was listed or written is this collection's.
_OWNER = 0


class DnsEngine(Persistable[Current, DnsPlan]):
    """Converges the record sets of a zone. ``lines`` says which lines are in service now, by family.

    With ``keep_key`` the key is written to its file, for the keeper. Without ``withdraw`` no set is removed from the
    zone that is not listed any more; this host only stops to publish it. ``assigned`` knows what the interfaces have.
    """

    def __init__(
        self,
        zone: Zone,
        desired: Sequence[Entry[RecordSet]],
        purge: bool = False,
        keep_key: bool = False,
        lines: ByFamily | None = None,
        files: Files | None = None,
        servers: ZoneServers | None = None,
        withdraw: bool = True,
        assigned: Assigned | None = None,
    ) -> None:
        self.withdraws, self._assigned = withdraw, assigned
        self.zone, self.desired, self.purge, self.keep_key = zone, list(desired), purge, keep_key
        self.in_service = lines or {}
        self.files = files or Files()
        self._servers = servers
        self.foreign: Mapping[SetKey, tuple[str, ...]] = {}

    @classmethod
    def from_options(
        cls, options: Options, lines: ByFamily | None = None, assigned: Assigned | None = None
    ) -> DnsEngine:
        """Return the engine for the options of dns_records; raises InvalidInput."""
        zone, desired = parse(options)
        withdraw = options.get("withdraw") is not False
        purge, keep_key = bool(options.get("purge")), bool(options.get("persist"))
        return cls(zone, desired, purge, keep_key, lines, withdraw=withdraw, assigned=assigned)

    def read(self) -> Current:
        """Return the sets at the server; raises ReadFailed, and InvalidInput for a key without a secret."""
        noted, owned_text = written(self.files, self.zone.name)
        owned = {**self._stored(), **noted}
        key_text, ended_key = self._key_text(), self._ended_key()
        wanted = {entry.object.key for entry in self.desired} | (set(owned) if self.withdraws else set())
        if not wanted:
            # A server that is gone for good, or a key that is removed, is no reason to fail.
            return Current({}, owned, owned_text, key_text, noted=noted, ended_key=ended_key)
        sets = [entry.object for entry in self.desired]
        learned = self._learned(sets)
        # Once only: the key's file may be removed by this run.
        if self._servers is None:
            sources = bound_sources(self.zone.sources, learned) or (Source(),)
            self._servers = ZoneServers(replace(self.zone.with_secret(self._key(key_text)), sources=sources))
        try:
            content = self._servers.read(sorted(wanted | set(names(sets))), self._lease_names(owned))
        except ServerFault as fault:
            raise ReadFailed(f"{fault}\nnothing was changed") from fault
        listed = [
            replace(entry, object=found) for entry, found in zip(self.desired, bound(sets, learned, _existing(content)))
        ]
        return Current(
            _labelled(content, listed, wanted),
            owned,
            owned_text,
            key_text,
            content.texts,
            {key: name for key, name in content.wildcards.items() if key in wanted},
            noted,
            ended_key,
            listed,
        )

    def plan(self, current: Current) -> DnsPlan:
        """Return the plan to the sets that the lines in service allow."""
        listed = [entry.object for entry in current.listed]
        wanted = effective(listed, self.in_service, current.sets, self.zone.empty_family)
        entries = [
            replace(entry, object=found)
            for entry in current.listed
            if (found := wanted.get(entry.object.key)) is not None
        ]
        removed = {key for key, found in wanted.items() if found is None}
        # A wildcard's answer is not a set of this name, unless it is the wanted one anyway.
        existing = [
            Existing(each, _OWNER)
            for key, each in current.sets.items()
            if key not in current.wildcards or _same(each, wanted.get(key))
        ]
        steps = plan(entries, [each for each in existing if each.object.key not in removed], _OWNER, self.purge)
        gone = [each for each in existing if each.object.key in removed]
        steps = replace(
            steps,
            actions=(*steps.actions, *(Action("remove", each.object, each) for each in gone)),
            before=tuple(sorted((*steps.before, *(each.object for each in gone)), key=lambda each: each.key)),
        )
        targets = {action.object.key: action.object if action.op != "remove" else None for action in steps.actions}
        foreign = self._foreign(current, targets)
        overridden = {key: current.wildcards[key] for key, new in targets.items() if new and key in current.wildcards}
        ended = current.ended_key and Action("remove", HostFile(current.ended_key[0], "a key that no zone uses"))
        key, forgets = self._key_action(current), self._forgetting(current)
        return DnsPlan(steps, targets, foreign, key, forgets, overridden, ended, current.listed)

    def apply(self, plan: DnsPlan, current: Current) -> None:
        """Write the key's file, then send one UPDATE; raises StepFailed."""
        what = str(plan.key_file)
        try:
            removes_key = plan.key_file is not None and plan.key_file.op == "remove"
            if plan.key_file and self.zone.key and not removes_key:
                self.files.save(self.zone.key.path, self.zone.key.file_text(), 0o600)
            changes = replacements(current.sets, plan.wanted, current.wildcards)
            if changes:
                what = "; ".join(map(str, plan.steps.actions))
                assert_servers(self._servers).replace([*changes, *self._ended_leases(current, plan.wanted)])
            if changes or plan.forgets:
                what = f"write {OWNED}"
                self._save_owned(current, plan.wanted)
            if removes_key and self.zone.key:
                what = str(plan.key_file)
                self.files.save(self.zone.key.path, None, 0o600)
            if current.ended_key:
                what = str(plan.ended_key)
                self.files.save(current.ended_key[0], None, 0o600)
        except OSError as error:
            raise StepFailed(what, error.strerror or str(error)) from error
        except Conflict as error:
            raise StepFailed(what, f"{error}; run again") from error
        except ServerFault as error:
            raise StepFailed(what, str(error)) from error

    def restore(self, plan: DnsPlan, current: Current) -> list[str]:
        """Restore the sets of ``current``, where they still are as this run left them, and the files."""
        failed: list[str] = []
        try:
            content = assert_servers(self._servers).read(sorted(plan.wanted)) if plan.wanted else Content()
            now, before = _existing(content), _existing(current)
            ours = {key: before.get(key) for key, new in plan.wanted.items() if _same(now.get(key), new)}
            changes = replacements(now, ours)
            if changes:
                assert_servers(self._servers).replace(changes)
        except ServerFault as error:
            failed += [f"{action}: {error}" for action in plan.steps.actions]
        ended = [current.ended_key] if current.ended_key else []
        for path, text in ((OWNED, current.owned_text), self._key_place(current), *ended):
            try:
                if path and self.files.load(path) != text:
                    self.files.save(path, text, 0o600)
            except OSError as error:
                failed.append(f"{path}: {error.strerror or error}")
        return failed

    def before(self, plan: DnsPlan) -> list[Form]:
        """Return the listed or owned sets as entries of ``records``."""
        return as_records(plan.steps.before)

    def after(self, plan: DnsPlan) -> list[Form]:
        """Return the sets after the plan as entries of ``records``."""
        return as_records(plan.steps.after)

    def lines_of(self, sets: Sequence[RecordSet]) -> list[str]:
        """Return one line an address, as in a zone file."""
        return [f"{each.domain}. {each.ttl} IN {each.type} {value}" for each in sets for value in each.values]

    def lines(self, plan: DnsPlan) -> dict[str, list[str]]:
        """Return one line a record for the diff."""
        return {"before": self.lines_of(plan.steps.before), "after": self.lines_of(plan.steps.after)}

    def withdrawn(self, plan: DnsPlan) -> list[Form]:
        """Return the listed addresses that the lines in service do not allow now."""
        published = {each.key: each.values for each in plan.steps.after}
        return [
            {"domain": entry.object.domain, "address": each.address, "line": each.line}
            for entry in plan.listed
            for each in entry.object.addresses
            if each.address not in published.get(entry.object.key, ())
        ]

    def state_before(self, plan: DnsPlan) -> Form:
        """Return the sets before the plan as options."""
        return {**self.zone.as_settings(), "records": self.before(plan)}

    def to_store(self, older: DnsEngine | None, _plan: DnsPlan) -> Form:
        """Return the options to store: the listed sets, whatever the lines allow now."""
        kept = merged(older.desired if older else [], self.desired, self.purge, lambda each: each.key)
        return {**self.zone.as_settings(), "records": as_records(kept)}

    # ---------------------------------------------------------------- parts
    def _key(self, text: str | None) -> Key | None:
        """Return the key with its secret: of the option, else of its file."""
        key = self.zone.key
        if key is None or key.secret:
            return key
        if text is None:
            raise InvalidInput([f"key_secret is missing, and there is no file {key.path}"])
        try:
            return keys.parse_file(text)
        except ValueError as error:
            raise InvalidInput([f"{key.path}: {error}"]) from None

    def _key_text(self) -> str | None:
        if self.zone.key is None:
            return None
        try:
            return self.files.load(self.zone.key.path)
        except OSError as error:
            raise ReadFailed(f"{self.zone.key.path}: {error.strerror or error}") from error

    def _key_action(self, current: Current) -> Action[Model] | None:
        key = self.zone.key
        if not self.keep_key or key is None:
            return None
        if self.purge and not self.desired:
            needed = current.key_text is None or self._used_elsewhere(key)
            return None if needed else Action("remove", HostFile(key.path, f"the key {key.name}"))
        if not key.secret or current.key_text == key.file_text():
            return None
        return Action("add" if current.key_text is None else "replace", HostFile(key.path, f"the key {key.name}"))

    def _lease_names(self, owned: Mapping[SetKey, tuple[str, ...]]) -> list[str]:
        """Return the names of the leases that end with the sets that are removed."""
        listed = {entry.object.domain for entry in self.desired}
        ending = {domain for domain, _kind in owned} - listed if self.purge and self.withdraws else set()
        return sorted(map(lease_domain, ending)) if self.zone.publisher else []

    def _ended_leases(self, current: Current, wanted: Mapping[SetKey, RecordSet | None]) -> list[Replacement]:
        gone = {lease_domain(domain) for (domain, _kind), new in wanted.items() if new is None}
        return [Replacement(name, TEXT, texts, ()) for name, texts in current.leases.items() if texts and name in gone]

    def _forgetting(self, current: Current) -> Action[Model] | None:
        if self.withdraws or not self.purge or not set(current.noted) - {entry.object.key for entry in self.desired}:
            return None
        return Action("remove", HostFile(OWNED, f"the sets of {self.zone.name} that this host wrote"))

    def _used_elsewhere(self, key: Key) -> bool:
        """Tell whether another stored zone uses the key."""
        own = f"{KIND}.{self.zone.name}.json"
        names = [name for name in self.files.names(STORE) if name.startswith(f"{KIND}.") and name != own]
        texts = [self.files.load(f"{STORE}/{name}") or "" for name in names]
        return any(json.dumps(key.name) in text for text in texts)

    def _key_place(self, current: Current) -> tuple[str, str | None]:
        return (self.zone.key.path if self.zone.key and self.keep_key else "", current.key_text)

    def _learned(self, sets: Sequence[RecordSet]) -> Learned:
        """Return what the interfaces have, where sets or sources refer to them."""
        texts = [each.address for listed in sets for each in listed.addresses]
        texts += [each.address for each in self.zone.sources]
        return self._assigned.now() if self._assigned and references(texts) else {}

    def _foreign(self, current: Current, targets: Mapping[SetKey, RecordSet | None]) -> dict[SetKey, tuple[str, ...]]:
        """Return the addresses that a replaced set has, and that neither the entries nor this host's last run had."""
        listed = {entry.object.key: entry.object.values for entry in current.listed}
        wanted = [entry.object for entry in self.desired]
        earlier = earlier_values(wanted, self._assigned) if self._assigned else set()
        # What another host keeps up to date may have been another address until now.
        followed = {each.key for each in wanted if names([each])}
        found = {}
        for key in targets:
            if key in followed:
                continue
            here = current.sets.get(key) if key not in current.wildcards else None
            known = {*listed.get(key, ()), *current.owned.get(key, ()), *earlier}
            others = tuple(value for value in (here.values if here else ()) if value not in known)
            if others:
                found[key] = others
        return found

    def _stored_options(self) -> Any:
        """Return the options that the keeper of this host publishes by; a file that is none is refused elsewhere."""
        text = self.files.load(f"{STORE}/{KIND}.{self.zone.name}.json")
        return json.loads(text) if text else {"records": []}

    def _stored(self) -> dict[SetKey, tuple[str, ...]]:
        """Return the sets that the keeper of this host publishes."""
        try:
            records = self._stored_options()["records"]
            return {each.key: each.values for record in records for each in parse_record(record)}
        except (OSError, ValueError, TypeError, LookupError, InvalidInput):
            return {}

    def _ended_key(self) -> tuple[str, str] | None:
        """Return the path and the text of the key's file that this run replaces by another one."""
        try:
            key = Key.parse({"key_name": self._stored_options().get("key_name")}) if self.keep_key else None
            if key is None or (self.zone.key and key.name == self.zone.key.name) or self._used_elsewhere(key):
                return None
            text = self.files.load(key.path)
            return (key.path, text) if text is not None else None
        except (OSError, ValueError, AttributeError, InvalidInput):
            return None

    def _save_owned(self, current: Current, wanted: Mapping[SetKey, RecordSet | None]) -> None:
        """Note which sets this host wrote; raises OSError."""
        owned = {**current.noted}
        if self.purge and not self.withdraws:
            owned = {key: values for key, values in owned.items() if key in {each.object.key for each in self.desired}}
        listed = {entry.object.key: entry.object.values for entry in current.listed}
        for key, new in wanted.items():
            owned.pop(key, None)
            if new is not None or key in listed:
                owned[key] = listed.get(key, new.values if new else ())
        zones: dict[str, Any] = json.loads(current.owned_text) if current.owned_text else {}
        zones.pop(self.zone.name, None)
        if owned:
            zones[self.zone.name] = [[*key, list(values)] for key, values in sorted(owned.items())]
        self.files.save(OWNED, json.dumps(zones) + "\n" if zones else None, 0o600)


def assert_servers(servers: ZoneServers | None) -> ZoneServers:
    """Return the servers; read() has set them."""
    if servers is None:
        raise ReadFailed("the zone was not read yet")
    return servers


def _labelled(
    content: Content, listed: Sequence[Entry[RecordSet]], wanted: Collection[SetKey]
) -> dict[SetKey, RecordSet]:
    """Return the ``wanted`` sets with the lines of their addresses, as the entries have them."""
    known = {entry.object.key: {each.address: each for each in entry.object.addresses} for entry in listed}
    return {
        key: found.with_addresses(known.get(key, {}).get(each.address, each) for each in found.addresses)
        for key, found in content.sets.items()
        if key in wanted
    }


def _existing(content: Content | Current) -> dict[SetKey, RecordSet]:
    """Return the sets that exist themselves, and are not made from a wildcard."""
    return {key: found for key, found in content.sets.items() if key not in content.wildcards}


def _same(one: RecordSet | None, other: RecordSet | None) -> bool:
    return (one is None and other is None) or bool(one and other and one.satisfied_by(other))
