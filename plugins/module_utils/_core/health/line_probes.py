# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probes of one line in one family: what the watch says is due is sent, what comes back goes to its judge."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from .icmp_channel import IcmpChannels
from .probe_dns import DnsProber
from .probe_http import HttpProber
from .probe_icmp import IcmpProber
from .probe_schedule import Watch
from .probe_tcp import TcpProber
from .resolver import Names
from .socket_binding import COUNTS_AS_SENT, Pin, Poller, Prober, trouble
from .targets import DNS, HTTP, ICMP, is_address


def pin_of(watch: Watch) -> Pin:
    """Return how probes of a line are kept on it."""
    line = watch.line
    return Pin(
        watch.family,
        source=watch.address,
        mark=None if line.mark is None else line.mark[0],
        interface=line.interface if line.bind_interface else None,
    )


class LineProbes:
    """Sends the probes of a watch. ``touched`` is called when an answer came."""

    __slots__ = ("_channels", "_context", "_judge", "_names", "_poller", "_probers", "_touched", "due", "watch")

    def __init__(
        self,
        poller: Poller,
        channels: IcmpChannels,
        watch: Watch,
        names: Names,
        context: ssl.SSLContext | None,
        touched: Callable[[LineProbes], None],
    ) -> None:
        self.watch = watch
        # When the loop looks at this line next; kept here, as the loop may hold older times of it.
        self.due = 0.0
        self._poller, self._channels = poller, channels
        self._names, self._context, self._touched = names, context, touched
        self._judge = watch.judge
        self._probers: list[Prober] = self._made(pin_of(watch))

    def ask(self, now: float) -> None:
        """Send what is due."""
        watch = self.watch
        for target in watch.due(now):
            try:
                left = self._probers[target].send(target, now)
            except OSError as error:
                said = trouble(error)
                if said != COUNTS_AS_SENT:
                    watch.failed(now, target, said)
                    continue
                left = True
            if left:
                watch.sent(now, target)
            else:
                watch.failed(now, target, None)

    def drain(self, now: float) -> None:
        """Take in every answer that has come."""
        for prober in dict.fromkeys(self._probers):
            prober.drain(now)

    def move(self, now: float, address: str | None) -> None:
        """Send from another address from now on, or from none: the line has no address."""
        watch = self.watch
        if address == watch.address:
            return
        watch.address = address
        watch.judge.changed = True
        self.renew()
        watch.judge.address(now, address is not None)
        watch.restart(now)

    def renew(self) -> None:
        """Send by new sockets from now on."""
        self.close()
        self._probers = self._made(pin_of(self.watch))

    def close(self) -> None:
        """Close all sockets."""
        for prober in dict.fromkeys(self._probers):
            prober.close()

    def _answered(self, now: float, target: int, rtt: float) -> None:
        self._judge.answered(now, target, rtt)
        if self._judge.changed:
            self._touched(self)

    def _made(self, pin: Pin) -> list[Prober]:
        targets = self.watch.targets
        echoed = {number: target.host for number, target in enumerate(targets) if target.kind == ICMP}
        if not echoed:
            return [self._other(pin, number) for number in range(len(targets))]
        icmp = IcmpProber(self._channels.of(pin), pin, echoed, self._answered)
        return [icmp if target.kind == ICMP else self._other(pin, number) for number, target in enumerate(targets)]

    def _other(self, pin: Pin, number: int) -> Prober:
        target = self.watch.targets[number]
        if target.kind == DNS:
            return DnsProber(self._poller, pin, number, target, self._answered)
        where = self._address_of(target.host)
        if target.kind == HTTP:
            return HttpProber(self._poller, pin, number, target, self._answered, where, self._context)
        return TcpProber(self._poller, pin, number, target, self._answered, where)

    def _address_of(self, host: str) -> Callable[[], str | None]:
        if is_address(host):
            return lambda: host
        return lambda: self._names.address(host, self.watch.family)
