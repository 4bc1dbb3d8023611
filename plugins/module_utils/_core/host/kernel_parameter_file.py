# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel parameters as values, and as the text of a file of sysctl.d(5). No I/O.

A parameter's identity is its path below /proc/sys, so that ``net.ipv4.conf.eth0/100.rp_filter`` and
``net/ipv4/conf/eth0.100/rp_filter`` are one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from .. import fields
from ..entries import parse_fields
from ..errors import InvalidInput

# The first line of a file that this collection may rewrite; a file without it belongs to another program.
HEADER = "# Kept by Ansible, multihome.linux.kernel_parameters: change it there, not here."
_OF_INTERFACE = re.compile(r"net/ipv[46]/(conf|neigh)/[^/]+/[^/]+")
_ALL_INTERFACES = re.compile(r"net/(ipv[46])/conf/all/([^/]+)")


def parameter_path(value: object) -> str:
    """Return the path below /proc/sys of a parameter's name, written with dots or slashes as sysctl.d(5) says.

    If the first separator is a slash, dots belong to the parts; if it is a dot, slashes in the parts mean dots.
    """
    written = fields.text(value)
    first = re.search(r"[./]", written)
    if first is None:
        raise ValueError("not a kernel parameter; write it as net.ipv4.ip_forward or net/ipv4/ip_forward")
    swapped = written if first[0] == "/" else written.translate(str.maketrans("./", "/."))
    parts = swapped.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError("not a kernel parameter: a part of its path is empty, '.' or '..'")
    if re.search(r"[\s*?\[\]=]", written) or written[0] in "-#;":
        raise ValueError("not one kernel parameter: it contains white space, '=', or a pattern")
    return "/".join(parts)


def parameter_name(path: str) -> str:
    """Return the usual name: with dots, unless a part of the path (an interface) contains one."""
    return path if "." in path else path.replace("/", ".")


def parameter_value(value: object) -> str:
    """Return a parameter's value with single spaces, as the kernel shows it."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError("neither text nor a whole number; write 1 for yes and 0 for no")
    normalised = " ".join(str(value).split())
    if not normalised.isprintable():
        raise ValueError("contains characters that cannot be printed")
    return normalised


def _is_padded(path: str, value: str) -> bool:
    """Tell whether a value is a number that the kernel shows otherwise; a bit mask it does show with leading zeros."""
    return bool(re.fullmatch("-?0[0-9]+", value)) and not path.endswith(("mask", "bitmap"))


def is_of_interface(path: str) -> bool:
    """Tell whether a parameter is one of an interface, and so comes and goes with it."""
    return bool(_OF_INTERFACE.fullmatch(path))


def followers(path: str) -> str | None:
    """Return the pattern of the parameters that the kernel may set along with ``path``, or None.

    Linux copies forwarding of ``all`` to every interface (net/ipv4/devinet.c, net/ipv6/addrconf.c), and some
    others for IPv6; ip_forward is the same variable as forwarding of ``all``.
    """
    if path == "net/ipv4/ip_forward":
        return "net/ipv4/conf/*/forwarding"
    match = _ALL_INTERFACES.fullmatch(path)
    return f"net/{match[1]}/conf/*/{match[2]}" if match else None


def setting_order(path: str) -> tuple[int, str]:
    """Return a sort key: accept_ra, all interfaces, the default for new ones, single ones and the rest.

    Set in this order, no parameter changes one that was set before it; and accept_ra of an interface is set
    before forwarding makes Linux drop its default routes (rt6_purge_dflt_routers).
    """
    if path.endswith("/accept_ra"):
        return -1, path
    if followers(path):
        return 0, path
    return (1 if "/conf/default/" in path else 2), path


@dataclass(frozen=True)
class Parameter:
    """A kernel parameter. ``live`` is the value in effect; None if the parameter is only declared."""

    path: str
    value: str
    optional: bool = False
    live: str | None = None

    FIELDS: ClassVar[Mapping[str, fields.Parser]] = {
        "name": parameter_path,
        "value": parameter_value,
        "optional": fields.boolean,
    }

    @classmethod
    def parse(cls, entry: object) -> Parameter:
        """Return the parameter of one entry; raises InvalidInput with bare reasons."""
        values, faults = parse_fields(entry, cls.FIELDS, "name", required=("name", "value"))
        if _is_padded(values.get("name", ""), values.get("value", "")):
            faults.append(
                f"value {fields.shown(values['value'])}: Linux takes a number with a leading zero for an octal one and "
                "shows it without; write it without"
            )
        if faults:
            raise InvalidInput(faults)
        return cls(values["name"], values["value"], values.get("optional", False))

    @property
    def name(self) -> str:
        """The usual name."""
        return parameter_name(self.path)

    @property
    def key(self) -> tuple[str]:
        """The path."""
        return (self.path,)

    def satisfied_by(self, other: Parameter) -> bool:
        """Tell whether ``other`` is as declared, both in the file and in effect, where it exists."""
        same = (self.value, self.optional) == (other.value, other.optional)
        return same and other.live in (None, self.value)

    def as_input(self) -> dict[str, Any]:
        """Return the parameter as an entry of ``parameters``, with the value in effect where that is known."""
        entry: dict[str, Any] = {"name": self.name, "value": self.value if self.live is None else self.live}
        return {**entry, "optional": True} if self.optional else entry

    def __str__(self) -> str:
        return f"kernel parameter {self.name} = {self.value}"


def render(parameters: Iterable[Parameter]) -> str | None:
    """Return the text of the file; None without parameters.

    A leading "-" tells sysctl(8) and systemd-sysctl(8) that the parameter may be missing.
    """
    lines = [
        f"{'-' if parameter.optional else ''}{parameter.name} = {parameter.value}".rstrip()
        for parameter in sorted(parameters, key=lambda parameter: setting_order(parameter.path))
    ]
    return "".join(f"{line}\n" for line in [HEADER, *lines]) if lines else None


def parse_file(text: str | None) -> list[Parameter]:
    """Return the parameters of the file's text, the last of each name; None is a file that does not exist.

    Raises ValueError, with the reason and the line, when the text was not written by render().
    """
    if text is None:
        return []
    lines = text.splitlines()
    if lines[:1] != [HEADER]:
        raise ValueError("it was not written by this collection (its first line says so)")
    found: dict[str, Parameter] = {}
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if not stripped or stripped[0] in "#;":
            continue
        name, equals, value = stripped.partition("=")
        optional = name.startswith("-")
        try:
            if not equals:
                raise ValueError("not NAME = VALUE")
            path = parameter_path(name[optional:].strip())
            found[path] = Parameter(path, parameter_value(value), optional)
        except ValueError as error:
            raise ValueError(f"line {number}, {fields.shown(stripped)}: {error}") from None
    return list(found.values())
