# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the stored record sets of one zone published: each step reads, compares, and sends one update at most."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..entries import Options
from ..errors import ReadFailed
from ..fields import family_of
from ..host.files import Files
from ..lock import LOCK_FILE, is_held
from ..references import Learned
from . import keys
from .assigned import Assigned, bound, bound_sources, earlier_values, names
from .client import TEXT, Conflict, Content, Replacement, ServerFault
from .effective import ByFamily, Lines, effective
from .lease import READ_EVERY, TTL, Lease, is_lease, lease_domain
from .model import Key, RecordSet
from .name_server import LOOPBACK
from .transport import Source
from .updates import ZoneServers, replacements
from .written import written
from .zone import Zone, parse

Log = Callable[[str, str], None]
MakeServers = Callable[[Zone], ZoneServers]
# A host that publishes alone looks so often whether the records are still there.
READ_ALONE = 30.0
# A server on the host itself is read so often.
READ_LOCAL = 2.0
# Names that other hosts keep up to date are read so often.
READ_NAMES = 5.0
# Another publisher won the race so many times: then the next step is a later one.
_ATTEMPTS = 5
# Far below the 64 KiB of one message.
_ADDRESSES_AT_ONCE = 600
_UNKNOWN = Lines()


class Publisher:
    """One zone; ``options`` are the stored ones, and ``assigned`` knows what the interfaces had.

    Raises InvalidInput for options that are none, or without the key.
    """

    def __init__(
        self,
        options: Options,
        log: Log,
        files: Files | None = None,
        make_servers: MakeServers = ZoneServers,
        is_locked: Callable[[], bool] = lambda: is_held(LOCK_FILE),
        assigned: Assigned | None = None,
    ) -> None:
        zone, entries = parse(options)
        self._files, self._make_servers, self._is_locked = files or Files(), make_servers, is_locked
        self._assigned = assigned
        self.zone = _with_secret(zone, self._files)
        self._wanted = [entry.object for entry in entries]
        self._listed = {each.key: each.addresses for each in self._wanted}
        self._domains = sorted({each.domain for each in self._wanted})
        self._leases = {domain: Lease(zone.publisher) for domain in self._domains} if zone.publisher else {}
        self._log, self._servers = log, make_servers(self.zone)
        self._names = names(self._wanted)
        self._known = {each.key: set(each.values) for each in self._wanted}
        self.publishes: set[str] = set()

    @property
    def pause(self) -> float:
        """The seconds until the next step when nothing happens before."""
        if self._leases and not self._names:
            return READ_EVERY
        if self._names:
            return READ_NAMES
        # A server that starts again answers with all lines until it is fed.
        return READ_LOCAL if self.zone.servers == (LOOPBACK,) else READ_ALONE

    def reload_key(self) -> None:
        """Use the key as its file has it now; raises ServerFault."""
        zone = _with_secret(self.zone, self._files)
        if zone.key != self.zone.key:
            self.zone, self._servers = zone, self._make_servers(zone)

    def step(self, lines: ByFamily, now: float, learned: Learned | None = None) -> None:
        """Publish what the lines allow now, with what the interfaces have; raises ServerFault."""
        for attempt in range(_ATTEMPTS):
            try:
                self._once(lines, now, learned or {})
                return
            except Conflict:
                if attempt == _ATTEMPTS - 1:
                    raise

    def _once(self, lines: ByFamily, now: float, learned: Learned) -> None:
        sources = self._sources(lines, learned)
        keys_of_sets = list(dict.fromkeys([*(each.key for each in self._wanted), *self._names]))
        content = self._servers.read(keys_of_sets, [lease_domain(domain) for domain in self._leases], sources)
        # A wildcard may answer for a lease that does not exist.
        leases = {name: tuple(filter(is_lease, texts)) for name, texts in content.texts.items()}
        content = replace(content, texts=leases)
        held = self._held(content, lines, now)
        sets = [each for each in self._bound(learned, content) if each.domain in held]
        wanted = effective(sets, lines, content.sets, self.zone.empty_family)
        changes = replacements(content.sets, wanted, content.wildcards)
        if any(not each.values for each in changes) and self._is_locked():
            raise ServerFault("a set is missing, and a run of Ansible is changing this host: it may remove the records")
        for group in _groups(changes, self._renewals(content, held, now)):
            self._name_foreign(group)
            self._servers.replace(group, sources)
            self._report(group)

    def _bound(self, learned: Learned, content: Content) -> list[RecordSet]:
        """Return the wanted sets with the addresses of now, which are this host's own from now on."""
        exist = {key: found for key, found in content.sets.items() if key not in content.wildcards}
        found = bound(self._wanted, learned, exist)
        for each in found:
            self._known[each.key] |= set(each.values)
        return found

    def _held(self, content: Content, lines: ByFamily, now: float) -> set[str]:
        """Return the domains that this host may publish now."""
        held = {
            domain
            for domain in self._domains
            if not self._leases or self._leases[domain].may_publish(content.texts[lease_domain(domain)], now)
        }
        judged = [each for each in lines.values() if each.judged]
        # A host without any line cannot judge them; after a while another one takes over.
        if self._leases and judged and all(each.alarm for each in judged):
            held.clear()
        for domain in sorted(held ^ self.publishes) if self._leases else ():
            self._log("info", f"{domain}: this host {'publishes' if domain in held else 'does not publish'} it now")
        self.publishes = held
        return held

    def _renewals(self, content: Content, held: set[str], now: float) -> dict[str, Replacement]:
        """Return the change of each lease that is to be written, by domain; also of one that goes with addresses."""
        found = {}
        for domain in sorted(held) if self._leases else ():
            texts = content.texts[lease_domain(domain)]
            lease = self._leases[domain]
            if lease.is_due(texts, now):
                found[domain] = Replacement(lease_domain(domain), TEXT, texts, (lease.text(),), TTL)
        return found

    def _sources(self, lines: ByFamily, learned: Learned) -> list[Source]:
        """Return the sources, those of usable lines first."""

        def down(source: Source) -> bool:
            families = [family_of(source.address)] if source.address else [4, 6]
            return not any(lines.get(family, _UNKNOWN).serves(source.line) for family in families)

        return sorted(bound_sources(self.zone.sources, learned), key=down)

    def _name_foreign(self, group: Sequence[Replacement]) -> None:
        for each in group:
            key = (each.domain, each.type)
            # What was followed before this keeper started is not known.
            followed = any(one.is_name for one in self._listed.get(key, ()))
            if followed or each.type == TEXT or each.by_wildcard:
                continue
            others = [value for value in each.values if value not in self._known.get(key, ())]
            earlier = self._earlier(key) if others else ()
            if others := [value for value in others if value not in earlier]:
                self._log("warning", f"{each.domain}: {each.type} {', '.join(others)} of another owner is replaced")

    def _earlier(self, key: Key) -> set[str]:
        """Return what this host may have published without this keeper: by a run, or before it began."""
        found = earlier_values(self._wanted, self._assigned) if self._assigned else set()
        with contextlib.suppress(ReadFailed):  # the next deployment says it
            found.update(written(self._files, self.zone.name)[0].get(key, ()))
        return found

    def _report(self, group: Sequence[Replacement]) -> None:
        for each in group:
            if each.type != TEXT:
                self._log("info", f"{each.domain}: {each.type} is now {', '.join(each.new) or 'empty'}")


def _groups(changes: Sequence[Replacement], renewals: Mapping[str, Replacement]) -> list[list[Replacement]]:
    """Return the updates to send: each with whole domains, their leases included."""
    by_domain: dict[str, list[Replacement]] = {domain: [renewal] for domain, renewal in renewals.items()}
    for change in changes:
        by_domain.setdefault(change.domain, []).append(change)
    groups: list[list[Replacement]] = []
    size = _ADDRESSES_AT_ONCE
    for part in by_domain.values():
        cost = sum(len(each.values) + len(each.new) + 1 for each in part)
        if size + cost > _ADDRESSES_AT_ONCE:
            groups.append([])
            size = 0
        groups[-1] += part
        size += cost
    return groups


def _with_secret(zone: Zone, files: Files) -> Zone:
    if zone.key is None:
        return zone
    text = files.load(zone.key.path)
    if text is None:
        raise ServerFault(f"the key's file {zone.key.path} is missing; deploy again")
    return zone.with_secret(keys.parse_file(text))
