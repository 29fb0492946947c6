"""The one place for what every HAProxy of ours is told alike: global limits and TLS, the log, defaults with every time-out."""

from __future__ import annotations

from gurney.compile.haproxy.tree import Digest, Int, Leaf, Line, Listed, LogFields, Milliseconds, Section, Word, words
from gurney.compile.target import Machine

KEEPALIVE_IDLE_MS, KEEPALIVE_INTERVAL_MS, KEEPALIVE_PROBES = 10_000, 3_000, 3  # reliability §3
TCP_UT_MS = {"http": 15_000, "tcp": 60_000}  # reliability §3: tcp may carry what lets its peer wait
CONNECT_MS = 3_000
TUNNEL_MS = 3_600_000  # http.md §2: a WebSocket that is silent for an hour has ended
FIN_MS = 30_000
DRAIN_WITHIN_MS = 12 * 3_600_000  # http.md §10: how long an old worker may finish its sessions
STREAMS = 100  # of one HTTP/2 connection
RING_BYTES, RING_LINE = 1 << 20, 2_048

_CIPHERS = Listed(
    words("ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-RSA-AES256-GCM-SHA384"), ":"
)
_SUITES = Listed(words("TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256"), ":")
_CURVES = Listed(words("X25519 P-256 P-384"), ":")
_LOG = (
    '{"time":"%[date(0,ms)]","id":"%ID","frontend":"%f","backend":"%b","server":"%s","service":"%[var(txn.service)]",'
    '"rule":"%[var(txn.rule)]","status":%ST,"in":%U,"out":%B,"ms":{"request":%TR,"queue":%Tw,"connect":%Tc,"response":%Tr,"all":%Ta},'
    '"end":"%tsc","tls":"%sslv","address":"%ci"}'
)


def said(phrase: str, *leaves: Leaf, path: str = "") -> Line:
    """A line that begins with the words of `phrase`."""
    return Line((*words(phrase), *leaves), path)


def globals_(machine: Machine, maxconn: int, shape: str) -> Section:
    """The global section: limits, the runtime socket, what a reload hands over, the TLS profile of reliability §7."""
    owner = () if machine.uid is None else (said("uid", Int(machine.uid)), said("gid", Int(machine.uid)))
    return Section(
        said("global"),
        (
            Line((Word("description"), Digest(shape)), shape=()),
            said("maxconn", Int(maxconn)),
            *owner,
            said("localpeer local"),
            said("stats socket unix@run/admin.sock mode 600 level admin expose-fd listeners"),
            said("server-state-file run/server-state"),
            said("hard-stop-after", Milliseconds(DRAIN_WITHIN_MS)),
            said("ssl-default-bind-ciphers", _CIPHERS),
            said("ssl-default-bind-ciphersuites", _SUITES),
            said("ssl-default-bind-curves", _CURVES),
            said("ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets"),
            said("ssl-default-server-ciphers", _CIPHERS),
            said("ssl-default-server-ciphersuites", _SUITES),
            said("ssl-default-server-options ssl-min-ver TLSv1.2 no-tls-tickets"),
            said("ssl-server-verify required"),
            said("tune.h2.fe.max-concurrent-streams", Int(STREAMS)),
        ),
    )


def ring() -> Section:
    """The log: a bounded ring in memory, read through the runtime socket."""
    return Section(said("ring logs"), (said("format raw"), said("maxlen", Int(RING_LINE)), said("size", Int(RING_BYTES))))


def defaults() -> Section:
    """What every proxy starts from; frontends and backends lay their own time-outs over it."""
    return Section(
        said("defaults"),
        (
            said("mode http"),
            said("log ring@logs len", Int(RING_LINE), *words("format raw local0 info")),
            said("log-format", LogFields(_LOG)),
            said("unique-id-format", LogFields("%[uuid()]")),
            said("option dontlognull"),
            said("option idle-close-on-response"),
            said("option http-restrict-req-hdr-names reject"),
            said("option abortonclose"),
            said("option redispatch", Int(1)),
            said("retries", Int(3)),
            said("retry-on conn-failure empty-response"),
            said("http-reuse safe"),
            *_keepalive("cli"),
            *_keepalive("srv"),
            *_timeouts(),
            said("load-server-state-from-file global"),
        ),
    )


def _keepalive(side: str) -> tuple[Line, ...]:
    return (
        said(f"option {side}tcpka"),
        said(f"{side}tcpka-idle", Milliseconds(KEEPALIVE_IDLE_MS)),
        said(f"{side}tcpka-intvl", Milliseconds(KEEPALIVE_INTERVAL_MS)),
        said(f"{side}tcpka-cnt", Int(KEEPALIVE_PROBES)),
    )


def _timeouts() -> tuple[Line, ...]:
    found = {
        "client": 60_000,
        "server": 60_000,
        "connect": CONNECT_MS,
        "queue": 5_000,
        "http-request": 10_000,
        "http-keep-alive": 60_000,
        "tunnel": TUNNEL_MS,
        "client-fin": FIN_MS,
        "server-fin": FIN_MS,
        "check": 2_000,
    }
    return tuple(said(f"timeout {word}", Milliseconds(value)) for word, value in found.items())
