# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a line's probes ask: an address by ICMP echo, a DNS server, a TCP port, a web page. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from .. import fields
from ..entries import without_none

ICMP, DNS, TCP, HTTP = "icmp", "dns", "tcp", "http"
_PORTS = {DNS: 53, "http": 80, "https": 443}
DEFAULT_STATUS = 200
_status = fields.integer(100, 599)
_port = fields.integer(1, 65535)
# RFC 1123, section 2.1; an underscore is common in internal names.
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")


@dataclass(frozen=True)
class Target:
    """One target. ``host`` is an address, or for tcp and http also a name; ``query`` is the name that dns asks for.

    ``path`` and ``tls`` belong to http; so does ``status``, the one that counts as an answer.
    """

    kind: str
    host: str
    port: int = 0
    query: str = "."
    path: str = "/"
    tls: bool = False
    status: int = DEFAULT_STATUS

    @classmethod
    def parse(cls, value: Any) -> Target:
        """Return the target that an entry of ``targets`` describes; raises ValueError with the reason."""
        if isinstance(value, str):
            return cls(ICMP, fields.host(value))
        if not isinstance(value, Mapping):
            raise ValueError("neither an address nor a dictionary with dns, tcp or http")
        kinds = [kind for kind in (DNS, TCP, HTTP) if value.get(kind) is not None]
        if len(kinds) != 1:
            raise ValueError("needs exactly one of dns, tcp and http")
        kind = kinds[0]
        option = {DNS: "query", HTTP: "status"}.get(kind)
        unknown = sorted(set(value) - {kind, option})
        if unknown:
            known = kind if option is None else f"{kind} and {option}"
            raise ValueError(f'unknown field "{unknown[0]}"; known are {known}')
        return _PARSERS[kind](value)

    @property
    def family(self) -> int | None:
        """4 or 6; None where a name stands for the address."""
        return fields.family_of(self.host) if is_address(self.host) else None

    def as_input(self) -> Any:
        """Return the target as an entry of ``targets``."""
        if self.kind == ICMP:
            return self.host
        if self.kind == DNS:
            return without_none(dns=self.host, query=None if self.query == "." else self.query)
        if self.kind == TCP:
            return {"tcp": f"{_bracketed(self.host)}:{self.port}"}
        return without_none(http=self.url, status=None if self.status == DEFAULT_STATUS else self.status)

    @property
    def url(self) -> str:
        """The address of the web page."""
        scheme = "https" if self.tls else "http"
        port = "" if self.port == _PORTS[scheme] else f":{self.port}"
        return f"{scheme}://{_bracketed(self.host)}{port}{self.path}"

    def __str__(self) -> str:
        words = {ICMP: self.host, DNS: f"dns {self.host}", TCP: f"tcp {_bracketed(self.host)}:{self.port}"}
        return words.get(self.kind) or self.url


def is_address(host: str) -> bool:
    """Tell whether a target's host is an address, not a name."""
    try:
        fields.address(host)
    except ValueError:
        return False
    return True


def parse_targets(value: Any) -> tuple[tuple[Target, ...], list[str]]:
    """Return the targets of a list and its faults, each with its place."""
    if isinstance(value, (str, Mapping)):
        # A single one, as in every list.
        value = [value]
    if not isinstance(value, (list, tuple)):
        return (), ["targets: not a list"]
    found: dict[Target, int] = {}
    faults: list[str] = []
    for index, entry in enumerate(value):
        try:
            target = Target.parse(entry)
        except ValueError as error:
            faults.append(f"targets[{index}]{_label(entry)}: {error}")
            continue
        earlier = found.setdefault(target, index)
        if earlier != index:
            faults.append(f"targets[{earlier}] and targets[{index}]: {target} twice; keep one of them")
    return tuple(found), faults


def _label(entry: Any) -> str:
    if isinstance(entry, Mapping):
        entry = next((entry[kind] for kind in (DNS, TCP, HTTP) if entry.get(kind) is not None), None)
    return f" ({entry})" if isinstance(entry, str) else ""


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _name(value: str) -> str:
    name = value.rstrip(".")
    if len(name) > 253 or not name or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError("not a host name")
    return name.lower()


def _host(value: str) -> str:
    """Return the canonical address of a host, or its name; digits and dots alone are never a name."""
    if ":" in value or re.fullmatch(r"[0-9.]+", value):
        return fields.host(value)
    return _name(value)


def _dns(value: Mapping[str, Any]) -> Target:
    query = value.get("query")
    if query is not None and not isinstance(query, str):
        raise ValueError("query: not a name")
    return Target(DNS, fields.host(value[DNS]), _PORTS[DNS], query="." if query in (None, ".") else _name(str(query)))


def _tcp(value: Mapping[str, Any]) -> Target:
    written = value[TCP]
    match = re.fullmatch(r"(?:\[([^\]]+)\]|([^:\[\]]+)):([0-9]+)", written) if isinstance(written, str) else None
    if not match:
        raise ValueError('not HOST:PORT; an IPv6 address is written "[2001:db8::1]:443"')
    return Target(TCP, _host(match[1] or match[2]), _port(match[3]))


def _http(value: Mapping[str, Any]) -> Target:
    written = value[HTTP]
    if not isinstance(written, str) or not written.isascii() or not written.isprintable() or " " in written:
        raise ValueError("not a URL")
    parts = _split(written)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not a URL that begins with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL with a user name or password; it would be readable in state files")
    tls = parts.scheme == "https"
    try:
        port = parts.port or _PORTS[parts.scheme]
    except ValueError:
        raise ValueError("port is not within 1 to 65535") from None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        status = _status(value.get("status") or DEFAULT_STATUS)
    except ValueError as error:
        raise ValueError(f"status: {error}") from None
    return Target(HTTP, _host(parts.hostname), port, path=path, tls=tls, status=status)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise ValueError("not a URL") from None


_PARSERS = {DNS: _dns, TCP: _tcp, HTTP: _http}
