"""The one place for every limit and every default number: a constant each, with its unit, the page it comes from and its meaning.

The constants are plain integers; `table()` lists them with their notes, and the reference is generated from it.
Durations are milliseconds (`*_MS`), sizes are bytes.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated, get_type_hints

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
TIB = 1024 * GIB


@dataclass(frozen=True, slots=True)
class Note:
    """What a constant is: its unit (`ms`, `bytes`, a count's noun), the page it comes from, its meaning."""

    unit: str
    source: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the reference."""

    name: str
    value: int
    unit: str
    source: str
    meaning: str


# --- the document (hostile input included) ---
DOCUMENT_BYTES: Annotated[int, Note("bytes", "architecture.md §3", "largest document that is read at all")] = 512 * KIB
DOCUMENT_DEPTH: Annotated[int, Note("levels", "architecture.md §3", "deepest nesting of a document")] = 24
DOCUMENT_NODES: Annotated[int, Note("nodes", "architecture.md §3", "keys, values, lists and mappings of a document in all")] = 100_000
SCALAR_CHARACTERS: Annotated[int, Note("characters", "architecture.md §3", "longest single value or key of a document")] = 1024
FAULTS_SHOWN: Annotated[int, Note("faults", "architecture.md §3", "faults listed for one document; the rest is counted")] = 500
GUESSES: Annotated[int, Note("searches", "architecture.md §3", "did-you-mean searches for one document")] = 100
GUESS_CANDIDATES: Annotated[int, Note("names", "architecture.md §3", "names one did-you-mean search looks at")] = 200
SHOWN_CHARACTERS: Annotated[int, Note("characters", "reliability.md §7", "of a peer's or person's text shown in a message or log")] = 64
NAME_CHARACTERS: Annotated[
    int, Note("characters", "architecture.md §3", "longest name of an application, service, pool, rule, site, node")
] = 32
MEMBER_NAME_CHARACTERS: Annotated[int, Note("characters", "architecture.md §3", "longest name of a member")] = 64
HOST_CHARACTERS: Annotated[int, Note("characters", "RFC 1035 §2.3.4", "longest host name")] = 253
AE_TITLE_BYTES: Annotated[int, Note("bytes", "PS3.5 §6.2", "longest application entity title")] = 16
UID_CHARACTERS: Annotated[int, Note("characters", "PS3.5 §9.1", "longest unique identifier")] = 64
CREATOR_BYTES: Annotated[int, Note("bytes", "PS3.5 §6.2", "longest private creator (VR LO)")] = 64
NAMED: Annotated[int, Note("things", "architecture.md §3", "applications, services, pools, members, sites … in one mapping")] = 1024
LISTED: Annotated[int, Note("texts", "architecture.md §3", "texts in one list: globs of a fact, entries of accept_from")] = 4096
RULES: Annotated[int, Note("rules", "architecture.md §3", "rules of one service")] = 1000
MEMBERS: Annotated[int, Note("members", "architecture.md §3", "members of one pool")] = 256
LISTENERS: Annotated[
    int, Note("listeners", "architecture.md §1", "listeners of one application: descriptors of one SCM_RIGHTS message")
] = 253

# --- defaults and ranges of fields ---
PORT_HIGHEST: Annotated[int, Note("port", "RFC 9293", "highest TCP port")] = 65_535
WEIGHT: Annotated[int, Note("weight", "architecture.md §3", "a member's weight when none is given")] = 100
WEIGHT_HIGHEST: Annotated[int, Note("weight", "architecture.md §3", "highest weight; the lowest is 1")] = 256
CHECK_INTERVAL_MS: Annotated[int, Note("ms", "architecture.md §3", "from one check of a member to the next")] = 2_000
CHECK_TIMEOUT_MS: Annotated[int, Note("ms", "architecture.md §3", "a check without an outcome after this has failed")] = 2_000
CHECK_RISE: Annotated[int, Note("checks", "architecture.md §3", "good checks in a row until a member is up")] = 2
CHECK_FALL: Annotated[int, Note("checks", "architecture.md §3", "failed checks in a row until a member is down")] = 3
CHECK_SHORTEST_MS: Annotated[int, Note("ms", "dicom.md §7", "shortest interval or timeout of a check")] = 50
CHECK_LONGEST_MS: Annotated[int, Note("ms", "dicom.md §7", "longest interval or timeout of a check")] = 3_600_000
CHECK_COUNT_HIGHEST: Annotated[int, Note("checks", "dicom.md §7", "highest rise or fall")] = 100
CHECK_CONTEXTS: Annotated[int, Note("pairs", "PS3.8 §9.3.2.2", "pairs of expect_contexts: presentation contexts of one association")] = 128
MEMBER_ASSOCIATIONS: Annotated[int, Note("associations", "dicom.md §4", "max_associations of a member")] = 8
MEMBER_ASSOCIATIONS_HIGHEST: Annotated[int, Note("associations", "dicom.md §4", "highest max_associations")] = 1024
MEMBER_BYTES: Annotated[int, Note("bytes", "dicom.md §4", "max_bytes in flight to a member")] = 256 * MIB
REPLAY_OBJECT: Annotated[int, Note("bytes", "dicom.md §5", "replay_limit of an object; in this version also the highest")] = 64 * MIB
SERVICE_ASSOCIATIONS: Annotated[int, Note("associations", "dicom.md §8", "limits: associations of a service")] = 256
ADDRESS_ASSOCIATIONS: Annotated[int, Note("associations", "dicom.md §8", "limits: associations_per_address")] = 64
AE_ASSOCIATIONS: Annotated[int, Note("associations", "dicom.md §8", "limits: associations_per_ae (calling AE title)")] = 32
UNASSOCIATED: Annotated[int, Note("connections", "dicom.md §8", "limits: unassociated, connections not yet associated in all")] = 512
ADDRESS_UNASSOCIATED: Annotated[int, Note("connections", "dicom.md §8", "limits: unassociated_per_address")] = 32
LIMIT_HIGHEST: Annotated[int, Note("connections", "dicom.md §8", "highest number a limit of a service takes")] = 65_536

# --- deadlines of the DICOM upper layer (dicom.md §2) ---
ARTIM_MS: Annotated[int, Note("ms", "dicom.md §2", "ARTIM, from accept; not restarted by bytes")] = 10_000
TLS_HANDSHAKE_MS: Annotated[int, Note("ms", "dicom.md §2", "a TLS handshake, on either side: as ARTIM")] = 10_000
CONNECT_MS: Annotated[int, Note("ms", "dicom.md §2", "dialling a member")] = 3_000
ASSOCIATE_ANSWER_MS: Annotated[int, Note("ms", "dicom.md §2", "waiting for A-ASSOCIATE-AC")] = 5_000
RELEASE_ANSWER_MS: Annotated[int, Note("ms", "dicom.md §2", "waiting for A-RELEASE-RP")] = 5_000
MESSAGE_SILENCE_MS: Annotated[int, Note("ms", "dicom.md §2", "no byte inside a message")] = 60_000
MESSAGE_PACE_BYTES: Annotated[int, Note("bytes", "dicom.md §2", "a peer slower than this a second inside a message is cut")] = 1 * KIB
MESSAGE_PACE_MS: Annotated[int, Note("ms", "dicom.md §2", "the time over which that pace is measured")] = 60_000
SENDER_IDLE_MS: Annotated[int, Note("ms", "dicom.md §2", "a sender's association without a message is aborted")] = 15 * 60_000
MEMBER_ANSWER_MS: Annotated[int, Note("ms", "dicom.md §2", "a member's answer after the last fragment, plus the grace below")] = 120_000
MEMBER_ANSWER_GRACE_MS: Annotated[int, Note("ms", "dicom.md §2", "more for each grace step of an object's size")] = 1_000
MEMBER_ANSWER_GRACE_BYTES: Annotated[int, Note("bytes", "dicom.md §2", "the grace step")] = 10 * MIB
MEMBER_IDLE_MS: Annotated[int, Note("ms", "dicom.md §2", "an idle member association is released")] = 60_000
CAPABILITY_ASK_MS: Annotated[int, Note("ms", "dicom.md §2", "asking members for unknown pairs while a sender waits, in all")] = 2_000
MEMBER_WAIT_MS: Annotated[int, Note("ms", "dicom.md §4", "an object waits for a free slot at most, then A700")] = 30_000
CAP_RETRY_MS: Annotated[int, Note("ms", "dicom.md §4", "a lowered cap is tried upwards this often")] = 60_000
AMBIGUOUS_SAME_MEMBER_MS: Annotated[
    int, Note("ms", "dicom.md §5", "an ambiguous object stays with its member this long or two refusals")
] = 10_000

# --- sizes on the wire (dicom.md §2, §8) ---
ASSOCIATE_PDU: Annotated[int, Note("bytes", "dicom.md §8", "largest A-ASSOCIATE PDU")] = 256 * KIB
OWN_MAXIMUM_LENGTH: Annotated[int, Note("bytes", "dicom.md §2", "P-DATA-TF length offered to members, and the most offered to senders")] = (
    128 * KIB
)
LEAST_MAXIMUM_LENGTH: Annotated[
    int, Note("bytes", "dicom.md §2", "the least P-DATA-TF length offered to senders; also taken for absent")
] = 16 * KIB
COMMAND_SET: Annotated[int, Note("bytes", "dicom.md §8", "largest command set")] = 16 * KIB
HEAD: Annotated[int, Note("bytes", "dicom.md §3", "of a data set looked at for facts")] = 256 * KIB
INFLATE: Annotated[int, Note("bytes", "dicom.md §3", "inflated of a deflated data set for facts")] = 1 * MIB
NESTING: Annotated[int, Note("levels", "dicom.md §3", "nested sequences walked for facts")] = 64
REPLAY_MEMORY: Annotated[int, Note("bytes", "dicom.md §8", "replay memory of a route process in all")] = 256 * MIB
HELD_BEFORE_SLOT: Annotated[int, Note("bytes", "dicom.md §5", "buffered of a slow object before it takes a scarce slot")] = 8 * MIB

# --- studies ---
PIN_MS: Annotated[int, Note("ms", "dicom.md §4", "a pin is kept after its study's last object")] = 24 * 3_600_000
PIN_BATCH_MS: Annotated[int, Note("ms", "dicom.md §4", "pins are written in batches this long at most")] = 100
STUDY_QUIET_MS: Annotated[int, Note("ms", "dicom.md §4", "a drained member keeps a study until it was quiet this long")] = 60_000

# --- sockets (reliability.md §3) ---
KEEPALIVE_IDLE_MS: Annotated[int, Note("ms", "reliability.md §3", "TCP keepalive: idle time before the first probe")] = 10_000
KEEPALIVE_INTERVAL_MS: Annotated[int, Note("ms", "reliability.md §3", "TCP keepalive: between probes")] = 3_000
KEEPALIVE_PROBES: Annotated[int, Note("probes", "reliability.md §3", "TCP keepalive: unanswered probes until the peer is gone")] = 3
STALL_MS: Annotated[int, Note("ms", "reliability.md §3", "TCP_USER_TIMEOUT of both legs of the route process")] = 60_000
ACK_WATCH_MS: Annotated[int, Note("ms", "reliability.md §3", "with bytes waiting TCP_INFO is read this often")] = 5_000
ACK_SILENCE_MS: Annotated[int, Note("ms", "reliability.md §3", "a peer that acknowledged nothing for this long is dead")] = 15_000
UNASSOCIATED_AGE_MS: Annotated[int, Note("ms", "dicom.md §8", "only connections older than this are closed for newer ones")] = 1_000
RECEIVE_FRONT: Annotated[int, Note("bytes", "architecture.md §6", "receive buffer in front")] = 1 * MIB
DRAIN_WITHIN_MS: Annotated[int, Note("ms", "reliability.md §4.5", "an object in hand is ended within this at a stop")] = 10_000


# --- HTTP and TCP (http.md §1, §2, §10; reliability.md §3) ---
HTTP_CONNECTIONS: Annotated[int, Note("connections", "http.md §1", "limits: connections of a service")] = 5_000
HTTP_CONNECTIONS_HIGHEST: Annotated[int, Note("connections", "http.md §3", "highest connections; RLIMIT_NOFILE grants fewer")] = 1_000_000
HTTP_HEADERS_MS: Annotated[int, Note("ms", "http.md §1", "limits: headers, a request's headers arrive within")] = 10_000
HTTP_BODY_HIGHEST: Annotated[int, Note("bytes", "http.md §1", "highest limits: body")] = 1024 * TIB
HTTP_IDLE_MS: Annotated[int, Note("ms", "http.md §1", "limits: idle, a silent client is cut (also between two requests)")] = 60_000
TCP_IDLE_MS: Annotated[int, Note("ms", "http.md §2", "limits: idle of tcp, as of a tunnel")] = 3_600_000
HTTP_SERVER_MS: Annotated[int, Note("ms", "http.md §2", "a silent member is given up")] = 60_000
HTTP_CONNECT_MS: Annotated[int, Note("ms", "reliability.md §3", "connecting to a member, once")] = 3_000
HTTP_RETRIES: Annotated[int, Note("tries", "http.md §2", "further tries of a connection, the last at another member")] = 3
HTTP_TUNNEL_MS: Annotated[int, Note("ms", "http.md §2", "a silent tunnel (WebSocket) is cut")] = 3_600_000
HTTP_USER_TIMEOUT_MS: Annotated[int, Note("ms", "reliability.md §3", "tcp-ut: bytes a peer does not acknowledge")] = 15_000
HTTP_DRAIN_WITHIN_MS: Annotated[int, Note("ms", "http.md §10", "an old worker ends its sessions within")] = 12 * 3_600_000
HTTP_STREAMS: Annotated[int, Note("streams", "http.md §2", "HTTP/2 streams of one connection at once")] = 100
HTTP_SHORTEST_MS: Annotated[int, Note("ms", "http.md §1", "shortest time of a service's limits and of queue: wait")] = 100
HTTP_LONGEST_MS: Annotated[int, Note("ms", "http.md §1", "longest time of a service's limits and of queue: wait")] = 24 * 3_600_000
OLD_WORKERS: Annotated[int, Note("workers", "http.md §10", "old workers alive; with so many the next reload waits")] = 4
OLD_WORKERS_MOST: Annotated[int, Note("workers", "http.md §10", "old workers alive after that wait; with so many it is refused")] = 8
MAX_IN_FLIGHT: Annotated[int, Note("requests", "http.md §1", "max_in_flight of a member (http)")] = 200
MAX_IN_FLIGHT_HIGHEST: Annotated[int, Note("requests", "http.md §1", "highest max_in_flight")] = 100_000
QUEUE_MOST: Annotated[int, Note("requests", "http.md §1", "queue: most of a pool")] = 1_000
QUEUE_MOST_HIGHEST: Annotated[int, Note("requests", "http.md §1", "highest queue: most")] = 100_000
QUEUE_WAIT_MS: Annotated[int, Note("ms", "http.md §1", "queue: wait")] = 5_000
SLOW_START_MS: Annotated[int, Note("ms", "http.md §1", "slow_start of a member that is up again")] = 30_000
SLOW_START_LONGEST_MS: Annotated[int, Note("ms", "http.md §1", "longest slow_start")] = 3_600_000
PANIC: Annotated[int, Note("percent", "http.md §1", "panic: fewer usable members than this and all are used")] = 30
PERSIST_FOR_MS: Annotated[int, Note("ms", "http.md §1", "persist: for, without a request")] = 1_800_000
PERSIST_LONGEST_MS: Annotated[int, Note("ms", "HAProxy", "longest persist: for; its timers end below 2^31 ms")] = 24 * 86_400_000
LONG_SHORTEST_MS: Annotated[int, Note("ms", "http.md §1", "shortest persist: for and hsts")] = 1_000
HSTS_LONGEST_MS: Annotated[int, Note("ms", "RFC 6797 §6.1.1", "longest hsts")] = 10 * 365 * 86_400_000
HOSTS: Annotated[int, Note("hosts", "http.md §1", "hosts of one service")] = 256
PATH_CHARACTERS: Annotated[int, Note("characters", "reliability.md §5", "longest base, path of a check, glob over paths")] = 512
HEADER_NAME_CHARACTERS: Annotated[int, Note("characters", "RFC 9110 §5.1", "longest header name of a rule or balance")] = 64
FILE_NAME_CHARACTERS: Annotated[int, Note("characters", "architecture.md §3", "longest name of a file in the document")] = 255
CERTIFICATES: Annotated[int, Note("files", "http.md §7", "certificates of one service")] = 256
CERTIFICATE_BYTES: Annotated[int, Note("bytes", "http.md §7", "largest file with a certificate, CA or CRL")] = 1 * MIB
PAGE_BYTES: Annotated[int, Note("bytes", "http.md §8", "largest page of a fallback: it fits HAProxy's buffer of 16 KiB")] = 12 * KIB
CHECK_STATUSES: Annotated[int, Note("ranges", "http.md §1", "statuses and ranges of expect of one check")] = 16
CHECK_GOOD: tuple[tuple[int, int], ...] = ((200, 399),)  # good statuses of an http check, both ends included


def spell_range(ranges: tuple[tuple[int, int], ...]) -> str:
    """Ranges of statuses as one would write them: ((200, 399),) -> `200-399`."""
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges)


def table() -> tuple[Entry, ...]:
    """Every constant of this file with its note, in the order of the file."""
    here = sys.modules[__name__]
    rows: list[Entry] = []
    for name, hint in get_type_hints(here, include_extras=True).items():
        notes = [note for note in getattr(hint, "__metadata__", ()) if isinstance(note, Note)]
        rows.extend(Entry(name, getattr(here, name), note.unit, note.source, note.meaning) for note in notes)
    return tuple(rows)
