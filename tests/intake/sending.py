"""The one place for a sender that is a process of its own: `python -m tests.intake.sending PORT SEED COUNT SIZE PDU`.

It opens one association, prints `ready`, and for every line it reads sends the next object in one write and prints its status.
"""

from __future__ import annotations

import sys

from tests.live.harness import objects, pdus
from tests.live.harness.sender import Association


def main() -> None:
    port, seed, count, size, pdu = int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:6])
    things = objects.study(seed, count, size=size)
    a = Association(port, pdus.offers_for([things[0].pair]), pdu_size=pdu)
    print("ready", flush=True)
    for n, thing in enumerate(things):
        if not sys.stdin.readline():
            break
        a.message = n + 1
        command = pdus.store_rq(thing.sop_class, thing.sop_instance, a.message)
        a.sock.sendall(b"".join(pdus.message_pdus(a.accepted[thing.pair], command, thing.data, a.pdu_size)))
        print(f"{a.status():04X}", flush=True)
    a.release()


if __name__ == "__main__":
    main()
