# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One server of a zone: reads record sets, and replaces them in one UPDATE (RFC 2136) with TSIG (RFC 8945)."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import MultihomeError
from ..fields import shown
from .keys import Key
from .library import dnspython
from .model import Key as SetKey
from .model import RecordSet
from .names import LONGEST, absolute, is_in
from .transport import PORT, TIMEOUT, Connection, NoAnswer, Source, connect

TEXT = "TXT"
# So many questions are sent before the first answer is read.
_AT_ONCE = 64


class ServerFault(MultihomeError):
    """A server gave no answer, or refused; the text names the server, the reason and the remedy.

    ``answered`` tells whether it is no use to ask again by another line.
    """

    def __init__(self, message: str, answered: bool = True) -> None:
        self.answered = answered
        super().__init__(message)


class Conflict(ServerFault):
    """A prerequisite does not hold: another publisher changed the records since they were read."""


@dataclass(frozen=True)
class Content:
    """The record sets of a zone that were asked for: addresses, and texts of TXT sets by domain.

    ``wildcards`` has those that the server makes from a wildcard of the zone; such a set does not exist itself.
    """

    sets: Mapping[SetKey, RecordSet] = field(default_factory=dict)
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    wildcards: Mapping[SetKey, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Replacement:
    """One set to replace: ``values`` becomes ``new``; without any value there is no set.

    ``by_wildcard`` says that the values are those of a wildcard, and that there is no set of this name.
    """

    domain: str
    type: str
    values: tuple[str, ...]
    new: tuple[str, ...]
    ttl: int = 0
    by_wildcard: bool = False


class Client:
    """Asks one server about one zone, at one address, from one source."""

    def __init__(
        self,
        zone: str,
        server: str,
        key: Key | None = None,
        source: Source | None = None,
        port: int = PORT,
        timeout: float = TIMEOUT,
    ) -> None:
        self.zone, self.server, self.port, self.timeout = zone, server, port, timeout
        self._source = source or Source()
        self._key = key
        self._dns = dnspython()
        self._tsig = self._dns.tsig.Key(absolute(key.name), key.secret, absolute(key.algorithm)) if key else None

    @property
    def called(self) -> str:
        """The server as messages name it."""
        address = f"[{self.server}]" if ":" in self.server else self.server
        return self.server if self.port == PORT else f"{address}:{self.port}"

    def read(self, keys: Iterable[SetKey], texts: Iterable[str] = ()) -> Content:
        """Return the sets that exist of these domains and types, and the TXT sets of these domains.

        Raises ServerFault: also when the server does not have the zone, or does not know the key.
        """
        addresses = list(keys)
        wanted = [*addresses, *((domain, TEXT) for domain in texts)]
        above = {key: _wildcards(key[0], self.zone) for key in addresses}
        wild = sorted({(name, key[1]) for key, names in above.items() for name in names})
        questions = [(self.zone, "SOA"), *wanted, *wild]
        try:
            with connect(self.server, self.port, self._source, self.timeout) as connection:
                answers = dict(zip(questions, self._asked(connection, questions)))
                self._check_zone(answers[self.zone, "SOA"])
                wildcards = self._made_from_wildcards(connection, answers, above)
        except NoAnswer as error:
            raise self._unreachable(error) from error
        sets: dict[SetKey, RecordSet] = {}
        found: dict[str, tuple[str, ...]] = {}
        for domain, kind in wanted:
            if (domain, kind) in wildcards and self._is_alias(answers[domain, kind]):
                continue
            values, ttl = self._values(answers[domain, kind], domain, kind)
            if kind == TEXT:
                found[domain] = values
            elif values:
                sets[domain, kind] = RecordSet.of(domain, kind, values, ttl)
        return Content(sets, found, wildcards)

    def replace(self, replacements: Sequence[Replacement]) -> None:
        """Replace whole sets in one UPDATE: all of them or none. Each set has to be as it was read.

        Raises Conflict when one is not, ServerFault when the server refuses.
        """
        update = self._dns.update.UpdateMessage(absolute(self.zone))
        for each in replacements:
            name, old, new = absolute(each.domain), _written(each.type, each.values), _written(each.type, each.new)
            if old and not each.by_wildcard:
                update.present(name, each.type, *old)
            else:
                update.absent(name, each.type)
            if new:
                update.replace(name, each.ttl, each.type, *new)
            else:
                update.delete(name, each.type)
        try:
            with connect(self.server, self.port, self._source, self.timeout) as connection:
                answer = self._exchange(connection, update)
        except NoAnswer as error:
            raise self._unreachable(error) from error
        except self._dns.tsig.PeerError as error:
            raise ServerFault(self._update_refused(_peer(error))) from error
        rcode = self._dns.rcode.to_text(answer.rcode())
        if rcode in ("NXRRSET", "YXRRSET", "NXDOMAIN", "YXDOMAIN"):
            raise Conflict(f"{self.called}: another publisher changed the records of zone {self.zone} meanwhile")
        if rcode != "NOERROR":
            raise ServerFault(self._update_refused(rcode))

    def _asked(self, connection: Connection, questions: Sequence[tuple[str, str]]) -> Iterable[Any]:
        for first in range(0, len(questions), _AT_ONCE):
            some = questions[first : first + _AT_ONCE]
            # Each of its own: by the number an answer finds its question, and its signature is checked.
            numbers = random.sample(range(1 << 16), len(some))
            part = [self._question(*question, number=number) for question, number in zip(some, numbers)]
            for message, wire in part:
                del message
                connection.send(wire)
            waiting = {message.id: message for message, _wire in part}
            answers: dict[int, Any] = {}
            while waiting:
                wire = connection.receive()
                message = waiting.pop(int.from_bytes(wire[:2], "big"), None)
                if message is not None:
                    answers[message.id] = self._checked(wire, message)
            yield from (answers[message.id] for message, _wire in part)

    def _made_from_wildcards(
        self, connection: Connection, answers: Mapping[SetKey, Any], above: Mapping[SetKey, Sequence[str]]
    ) -> dict[SetKey, str]:
        """Return the sets that the server makes from a wildcard, each with it.

        The wildcard has the same set, and also answers for a name below: it would not if the set's name existed (RFC
        4592, 2.2.1 and 3.3.1).
        """
        said = {question: self._answered(answer) for question, answer in answers.items()}
        same = {}
        for (domain, kind), names in above.items():
            having = [name for name in names if said[name, kind][0] and said[name, kind] == said[domain, kind]]
            if having:
                same[domain, kind] = having[0]
        below = self._asked(connection, [(_below(domain), kind) for domain, kind in same])
        return {key: name for (key, name), answer in zip(same.items(), below) if self._answered(answer) == said[key]}

    def _question(self, domain: str, kind: str, signed: bool = True, number: int | None = None) -> tuple[Any, bytes]:
        message = self._dns.message.make_query(absolute(domain), kind)
        message.flags &= ~self._dns.flags.RD
        if number is not None:
            message.id = number
        return message, self._wire(message, signed)

    def _wire(self, message: Any, signed: bool = True) -> bytes:
        if self._tsig and signed:
            message.use_tsig(self._tsig)
        return bytes(message.to_wire())

    def _exchange(self, connection: Connection, message: Any) -> Any:
        connection.send(self._wire(message))
        while True:
            wire = connection.receive()
            if wire[:2] == message.id.to_bytes(2, "big"):
                return self._read_message(wire, message)

    def _read_message(self, wire: bytes, message: Any) -> Any:
        """Return an answer; raises PeerError when the server refused the signature, ServerFault for any other fault."""
        dns = self._dns
        try:
            answer = dns.message.from_wire(wire, keyring=message.keyring, request_mac=message.mac)
        except dns.tsig.PeerError:
            raise
        except dns.exception.DNSException as error:
            # Newer versions of dnspython also refuse an unsigned answer, with which a server says that it refuses.
            unsigned = self._unsigned_refusal(wire)
            if unsigned is not None:
                return unsigned
            raise ServerFault(f"{self.called}: its answer cannot be trusted ({type(error).__name__})") from error
        if message.keyring and not answer.had_tsig and answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise ServerFault(f"{self.called}: its answer is not signed with the key {self._key_name}")
        return answer

    def _unsigned_refusal(self, wire: bytes) -> Any:
        """Return an unsigned answer that only says that the server refuses; None for any other."""
        try:
            answer = self._dns.message.from_wire(wire)
        except self._dns.exception.DNSException:
            return None
        good = (self._dns.rcode.NOERROR, self._dns.rcode.NXDOMAIN)
        return None if answer.had_tsig or answer.rcode() in good else answer

    def _checked(self, wire: bytes, message: Any) -> Any:
        try:
            return self._read_message(wire, message)
        except self._dns.tsig.PeerError as error:
            raise ServerFault(self._query_refused(_peer(error))) from error

    def _check_zone(self, answer: Any) -> None:
        """Raise ServerFault unless the server has the zone."""
        if not self._has_zone(answer):
            raise ServerFault(self._query_refused(self._dns.rcode.to_text(answer.rcode())))

    def _has_zone(self, answer: Any) -> bool:
        owner = self._dns.name.from_text(absolute(self.zone))
        has_soa = any(found.name == owner and found.rdtype == self._dns.rdatatype.SOA for found in answer.answer)
        return bool(has_soa and answer.flags & self._dns.flags.AA)

    def _answered(self, answer: Any) -> tuple[int, tuple[str, ...]]:
        """Return what an answer says, whatever the name that it is for."""
        first = answer.answer[0] if answer.answer else ()
        return (first.rdtype, tuple(sorted(each.to_text() for each in first))) if first else (0, ())

    def _is_alias(self, answer: Any) -> bool:
        return any(found.rdtype == self._dns.rdatatype.CNAME for found in answer.answer)

    def _values(self, answer: Any, domain: str, kind: str) -> tuple[tuple[str, ...], int]:
        """Return the values and the TTL of a set in an answer; none where the set does not exist."""
        dns = self._dns
        where = f"{self.called}: {domain}"
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise ServerFault(f"{where} {kind}: it answered {dns.rcode.to_text(answer.rcode())}")
        if not answer.flags & dns.flags.AA:
            raise ServerFault(f"{where}: the name is delegated to another zone; publish it there")
        for found in answer.answer:
            if found.rdtype == dns.rdatatype.CNAME:
                raise ServerFault(
                    f"{where} is an alias (CNAME) of {found[0].target}; it cannot have addresses beside it: remove it"
                )
            if found.rdtype == dns.rdatatype.from_text(kind):
                if kind == TEXT:
                    texts = (b"".join(each.strings).decode("utf-8", "replace") for each in found)
                    return tuple(sorted(texts)), found.ttl
                return tuple(each.address for each in found), found.ttl
        return (), 0

    # ---------------------------------------------------------------- what is wrong
    @property
    def _key_name(self) -> str:
        return shown(self._key.name) if self._key else "none"

    def _unreachable(self, error: NoAnswer) -> ServerFault:
        by = f", asked from {self._source}" if str(self._source) else ""
        return ServerFault(f"{self.called}: {error}{by}", answered=False)

    def _query_refused(self, reason: str) -> str:
        """Return what is wrong when the server refused a signed question: the zone, or the key."""
        plain = self._asked_unsigned()
        if plain is None:
            return f"{self.called}: it refuses questions about zone {self.zone} ({reason})"
        if not self._has_zone(plain):
            rcode = self._dns.rcode.to_text(plain.rcode())
            said = "it is not authoritative" if rcode == "NOERROR" else f"it answers {rcode}"
            return (
                f"{self.called}: it does not have the zone {self.zone} ({said}); the key was not judged; correct the "
                "zone's name, or the address of its primary server"
            )
        return f"{self.called}: {self._key_fault(reason)}"

    def _key_fault(self, reason: str) -> str:
        if reason == "BADTIME":
            return f"the clocks of this host and of the server differ too much for the key {self._key_name} (BADTIME)"
        if reason == "BADSIG":
            return f"the secret of the key {self._key_name} differs from the server's (BADSIG)"
        return (
            f"it does not accept the key {self._key_name} ({reason}): it has none of this name and algorithm with this "
            "secret, or, as Knot DNS says it, none that the zone's access list names; the zone itself is there"
        )

    def _update_refused(self, reason: str) -> str:
        """Return what is wrong when an update was refused: the key, the ACL, or the server takes no updates."""
        if reason in ("BADSIG", "BADTIME"):
            return f"{self.called}: {self._key_fault(reason)}"
        if reason == "NOTIMP":
            return f"{self.called}: it takes no updates (RFC 2136); publish the zone on one that does"
        if reason == "SERVFAIL":
            return f"{self.called}: it failed to change zone {self.zone} (SERVFAIL); its log has the reason"
        if reason == "NOTZONE":
            return f"{self.called}: a name is outside the zone {self.zone}"
        if not self._key:
            return f"{self.called}: it refuses updates of zone {self.zone} without a key ({reason})"
        # The key itself was accepted: the zone was read with it before.
        return (
            f"{self.called}: the key {self._key_name} is right, but it may not change these names of zone {self.zone} "
            f"({reason}); allow it in the zone's access list, TXT records of _multihome included"
        )

    def _asked_unsigned(self) -> Any:
        message, wire = self._question(self.zone, "SOA", signed=False)
        try:
            with connect(self.server, self.port, self._source, self.timeout) as connection:
                connection.send(wire)
                return self._dns.message.from_wire(connection.receive())
        except (NoAnswer, self._dns.exception.DNSException):
            del message
            return None


def _wildcards(domain: str, zone: str) -> list[str]:
    """Return the wildcards of a zone that a name may get its answers from."""
    names = []
    above = domain
    while above != zone and is_in(above, zone):
        above = above.partition(".")[2]
        names.append(f"*.{above}")
    return [name for name in names if name != domain]


def _below(domain: str) -> str:
    """Return a name below a domain, that nobody has; the domain itself where there is no space for one."""
    name = f"_below.{domain}"
    return name if len(name) <= LONGEST else domain


def _written(kind: str, values: Sequence[str]) -> list[str]:
    """Return values as dnspython parses them."""
    return [f'"{value}"' for value in values] if kind == TEXT else list(values)


def _peer(error: Exception) -> str:
    """Return the code of a refused signature: PeerBadKey is BADKEY."""
    return type(error).__name__.replace("PeerBad", "Bad").replace("Signature", "Sig").upper()
