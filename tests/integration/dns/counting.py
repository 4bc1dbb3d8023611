# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several writers count in one record: each increment that the server accepts has to be there at the end."""

from __future__ import annotations

from pathlib import Path

from .servers import KEY, ZONE, NameServer

ROOT = Path(__file__).resolve().parents[3]
WRITERS, EACH = 4, 15
_CODE = """
import sys, threading
sys.path.insert(0, sys.argv[1])
from _core.dns.client import Client, Conflict, Replacement
from _core.dns.keys import Key
zone, name, algorithm, secret, each, guarded = sys.argv[2:8]
domain, conflicts, faults = "counter." + zone, [], []
def increment(client):
    while True:
        texts = client.read([], [domain]).texts[domain]
        number = int(texts[0]) if texts else 0
        try:
            client.replace([Replacement(domain, "TXT", texts, (str(number + 1),), 60)])
            return
        except Conflict:
            conflicts.append(1)
def write():
    try:
        client = Client(zone, "127.0.0.1", Key(name, algorithm, secret), timeout=30)
        if guarded == "no":
            client._dns.update.UpdateMessage.present = client._dns.update.UpdateMessage.absent = lambda *_: None
        for _ in range(int(each)):
            increment(client)
    except Exception as error:
        faults.append(repr(error))
writers = [threading.Thread(target=write) for _ in range(int(sys.argv[8]))]
for one in writers: one.start()
for one in writers: one.join()
client = Client(zone, "127.0.0.1", Key(name, algorithm, secret))
print(client.read([], [domain]).texts[domain][0], len(conflicts), *faults)
client.replace([Replacement(domain, "TXT", client.read([], [domain]).texts[domain], ())])
"""


def count(server: NameServer, guarded: bool = True) -> tuple[int, int]:
    """Return the sum and the number of conflicts; without ``guarded`` updates have no prerequisites."""
    options = (ZONE, KEY.name, KEY.algorithm, KEY.secret, str(EACH), "yes" if guarded else "no", str(WRITERS))
    path = str(ROOT / "plugins" / "module_utils")
    done = server.host.run("/usr/bin/python3", "-c", _CODE, path, *options, timeout=300)
    total, conflicts, *faults = done.stdout.split()
    assert faults == []
    return int(total), int(conflicts)
