# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send the same random requests to the kernel of this network namespace and to the fake one; print where they differ.

Run in a throw-away namespace by test_fake_kernel.py: `python compare_with_fake.py SEED STEPS [KIND]`. Prints one JSON
document, `{"accepted": N, "refused": {"EEXIST": N, …}, "difference": null or text}`. With a KIND, the fake one is deaf
to requests about it, and a difference has to show.
"""

from __future__ import annotations

import collections
import errno
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import (
    Message,
    Netlink,
    RequestFailed,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import rtnetlink_encoding, rtnetlink_mapping
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Alias, Route, Rule
from ansible_collections.multihome.linux.tests.unit.routing.fake_kernel import INTERFACES, FakeKernel

SETTINGS = Path("/proc/sys/net/ipv4/conf")
ALIASES = [
    ("eth0", ("10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24", "10.0.0.4/25", "10.0.9.9/32", "fd00::1/64", "fd00::2/64")),
    ("eth0", ("fd00::1/48",)),
    ("eth1", ("10.1.0.1/24", "10.1.0.2/24", "10.1.0.5/30", "fd01::1/64")),
]
WAYS: list[dict[str, Any]] = [
    {"gateway": "10.0.0.9"},
    {"gateway": "10.0.0.9", "interface": "eth1"},
    {"gateway": "10.1.0.9", "interface": "eth1", "mtu": 1400},
    {"gateway": "10.1.0.9", "interface": "eth0", "onlink": True},
    {"interface": "eth1", "source": "10.0.0.1"},
    {"interface": "eth0"},
    {"gateway": "10.0.0.9", "source": "10.1.0.1"},
    {"type": "unreachable"},
    {"type": "blackhole"},
    {"nexthops": [{"gateway": "10.0.0.9"}, {"gateway": "10.1.0.9", "weight": 3}]},
    {"gateway": "fd00::9"},
    {"gateway": "fd01::9", "source": "fd00::2"},
    {"gateway": "fe80::9", "interface": "eth1"},
    {"nexthops": [{"gateway": "fd00::9"}, {"gateway": "fd01::9", "weight": 3}]},
]


def random_request(draw: random.Random, real: Netlink) -> tuple[str, Message]:
    """Return a request that the kernel may take or refuse."""
    kind = draw.choice(("address", "address", "route", "route", "rule"))
    owner = draw.choice((109, 186))
    if draw.random() < 0.4:
        standing = [m for m in real.dump(kind) if _is_compared(m) and rtnetlink_mapping.owner_of(m) != 2]
        if standing:
            return "remove", rtnetlink_encoding.lasting(draw.choice(standing))
    operation = draw.choice(("add", "add", "replace")) if kind == "route" else draw.choice(("add", "add", "remove"))
    if kind == "address":
        interface, addresses = draw.choice(ALIASES)
        alias = Alias(interface, draw.choice(addresses))
        return operation, rtnetlink_encoding.encode_alias(alias, INTERFACES[interface], owner)
    if kind == "route":
        way = draw.choice(WAYS)
        family = 6 if "::" in str(way) else draw.choice((4, 6)) if set(way) <= {"type", "interface"} else 4
        destination = draw.choice(("10.9.0.0/16", "0.0.0.0/0") if family == 4 else ("fd09::/64", "::/0"))
        if set(way) == {"interface"} and family == 6:
            destination = "fd09::/64"  # as a default it makes every address a neighbour, or does not
        entry = {"destination": destination, "metric": draw.choice((0, 5)), **way}
        return operation, rtnetlink_encoding.encode_route(
            Route.parse(entry, draw.choice((254, 1001))), INTERFACES, owner
        )
    return operation, rtnetlink_encoding.encode_rule(random_rule(draw), owner)


def random_rule(draw: random.Random) -> Rule:
    """Return one of few policy rules, so that they come into each other's way."""
    selectors: dict[str, tuple[Any, ...]] = {
        "source": ("10.0.0.1", "10.0.0.0/24"),
        "destination": ("10.9.0.0/16",),
        "in_interface": ("lo", "nowhere"),
        "out_interface": ("nowhere",),
        "mark": ("0x1", "0x1/0xff", "0/0xff"),
        "source_port": (80, "80-90"),
        "destination_port": (443,),
        "tos": ("0x10", "0x08"),
        "uid_range": ("1000-1999", "1000"),
        "invert": (True,),
    }
    # Behind the kernel's own, or without effect: a route's gateway is looked up by the rules.
    place = draw.choice(({"priority": 40000}, {"priority": 40001}, {"priority": 0, "in_interface": "nowhere"}))
    entry: dict[str, Any] = {"family": "ipv4", **place}
    for name, values in selectors.items():
        if name not in entry and (name != "invert" or entry["priority"]) and draw.random() < 0.25:
            entry[name] = draw.choice(values)
    if "source_port" in entry or "destination_port" in entry or draw.random() < 0.2:
        entry["ip_protocol"] = "tcp"
    what = draw.choice(({"action": "unreachable"}, {"table": 7}, {"table": 1000}))
    if "table" in what and draw.random() < 0.3:
        entry["suppress_prefix_length"] = draw.choice((0, 7))
    if "table" in what and draw.random() < 0.3:
        entry["suppress_interface_group"] = draw.choice((0, 109))
    return Rule.parse({**entry, **what})


def _is_compared(message: Message) -> bool:
    if message.kind == "route":
        prefix = message.get("RTA_DST", "")
        return message.get("RTA_TABLE") != 255 and not prefix.startswith(("fe80:", "ff00:"))
    return message.kind == "rule" or not str(message.get("IFA_ADDRESS")).startswith(("127.", "::1", "fe80:"))


def _comparable(message: Message) -> dict[str, Any]:
    """Return what both kernels must agree on."""
    header = {name: value for name, value in message.header.items() if name not in ("res1", "res2")}
    attributes = {
        name: value
        for name, value in message.attributes.items()
        if name not in ("IFA_CACHEINFO", "RTA_CACHEINFO", "RTA_PREF")
    }
    if message.kind == "route":
        header["flags"] &= 0x04  # whether a link is up is not for the fake kernel to know
        for hop in attributes.get("RTA_MULTIPATH", ()):
            hop["flags"] &= 0x04
    elif message.kind == "rule":
        header["flags"] &= 0x02  # nor whether a named interface exists
    return {"header": header, "attributes": dict(sorted(attributes.items()))}


def state(kernel: Netlink | FakeKernel) -> dict[str, list[str]]:
    """Return what stands; routes and IPv6 addresses without order."""
    result: dict[str, list[str]] = {}
    for kind in ("address", "route", "rule"):
        shown = [(m.header["family"], json.dumps(_comparable(m))) for m in kernel.dump(kind) if _is_compared(m)]
        ordered = {family: [text for number, text in shown if number == family] for family in (2, 10)}
        if kind != "rule":
            ordered[10].sort()
        if kind == "route":
            ordered[2].sort()
        result[kind] = ordered[2] + ordered[10]
    return result


def settle(real: Netlink) -> None:
    """Wait until the kernel has looked at each new IPv6 address; an instant, as the test switches detection off."""
    while any(message.get("IFA_FLAGS", 0) & 0x40 for message in real.dump("address")):
        time.sleep(0.001)


def attempt(kernel: Netlink | FakeKernel, operation: str, message: Message) -> str:
    """Return the name of the error, or an empty text."""
    try:
        kernel.send(operation, message)
    except RequestFailed as error:
        return errno.errorcode[error.code]
    return ""


def ipv6_route_refused(message: Message, answers: tuple[str, str]) -> bool:
    """Tell whether both refuse an IPv6 route; which fault comes first, the fake one does not know."""
    return message.kind == "route" and message.header["family"] == 10 and {*answers} == {"EINVAL", "EHOSTUNREACH"}


class DeafKernel(FakeKernel):
    """A fake kernel that does nothing about one kind of object."""

    def __init__(self, kind: str) -> None:
        super().__init__(SETTINGS)
        self._kind = kind

    def carry_out(self, operation: str, message: Message) -> None:
        """Do what is asked, unless it is about that kind."""
        if message.kind != self._kind:
            super().carry_out(operation, message)


def compare(seed: int, steps: int, fake: FakeKernel) -> dict[str, Any]:
    """Return the report."""
    draw = random.Random(seed)
    refused: collections.Counter[str] = collections.Counter()
    accepted = 0
    with Netlink() as real:
        for step in range(steps):
            if step % 25 == 0:
                for interface in ("eth0", "eth1"):
                    (SETTINGS / interface / "promote_secondaries").write_text(draw.choice("01"))
            before = state(real)
            operation, message = random_request(draw, real)
            answers = attempt(real, operation, message), attempt(fake, operation, message)
            settle(real)
            states = state(real), state(fake)
            accepted += not answers[0]
            refused.update([answers[0]] if answers[0] else [])
            if ipv6_route_refused(message, answers):
                answers = answers[0], answers[0]
            if answers[0] != answers[1] or states[0] != states[1]:
                parts = [f"step {step}: {operation} {message}", f"real: {answers[0]!r}, fake: {answers[1]!r}"]
                for kind in states[0]:
                    for name, one, other in (("real", 0, 1), ("fake", 1, 0)):
                        parts += [f"only {name}: {x}" for x in states[one][kind] if x not in states[other][kind]]
                    if states[0][kind] != states[1][kind]:
                        parts.append(f"{kind} differ")
                parts += ["before:", *(line for kind in before for line in before[kind])]
                return {"accepted": accepted, "refused": dict(refused), "difference": "\n".join(parts)}
    return {"accepted": accepted, "refused": dict(refused), "difference": None}


if __name__ == "__main__":
    fake_kernel = DeafKernel(sys.argv[3]) if len(sys.argv) > 3 else FakeKernel(SETTINGS)
    print(json.dumps(compare(int(sys.argv[1]), int(sys.argv[2]), fake_kernel)))
