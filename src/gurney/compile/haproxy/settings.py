"""The one place for what every HAProxy of ours is told alike: global limits and TLS, the log, defaults with every time-out."""

from __future__ import annotations

from gurney.compile.haproxy import keywords
from gurney.compile.haproxy.tree import Digest, Int, Leaf, Line, Listed, LogFields, Milliseconds, Section, Word, words
from gurney.compile.target import Machine
from gurney.config import limits

USER_TIMEOUT_MS = {"http": limits.HTTP_USER_TIMEOUT_MS, "tcp": 60_000}  # reliability §3; what tcp carries may let its peer wait
FIN_MS = 30_000  # a connection of which one side has closed
RING_BYTES, RING_LINE = 1 << 20, 2_048
CHECK_MS = 2_000
HOLD_MS = 10_000  # an address a resolver gave is taken as good for so long

_CIPHERS = Listed(
    words("ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-RSA-AES256-GCM-SHA384"), ":"
)
_SUITES = Listed(words("TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256"), ":")
_CURVES = Listed(words("X25519 P-256 P-384"), ":")
COMPRESSED = words("text/html text/plain text/css text/javascript application/javascript application/json application/xml image/svg+xml")
LOGS = {"http": keywords.HTTP_LOG, "tcp": keywords.TCP_LOG}


def said(phrase: str, *leaves: Leaf, path: str = "") -> Line:
    """A line that begins with the words of `phrase`."""
    return Line((*words(phrase), *leaves), path)


def globals_(machine: Machine, maxconn: int, shape: str, peered: bool) -> Section:
    """The global section: limits, the runtime socket, what a reload hands over, the TLS profile of reliability §7."""
    owner = () if machine.uid is None else (said("uid", Int(machine.uid)), said("gid", Int(machine.uid)))
    return Section(
        said("global"),
        (
            Line((Word("description"), Digest(shape)), shape=()),
            said("maxconn", Int(maxconn, 1)),
            *owner,
            *((said("localpeer local"),) if peered else ()),
            said("stats socket unix@run/admin.sock mode 600 level admin expose-fd listeners"),
            said("server-state-file run/server-state"),
            said("hard-stop-after", Milliseconds(limits.HTTP_DRAIN_WITHIN_MS)),
            said("ssl-default-bind-ciphers", _CIPHERS),
            said("ssl-default-bind-ciphersuites", _SUITES),
            said("ssl-default-bind-curves", _CURVES),
            said("ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets"),
            said("ssl-default-server-ciphers", _CIPHERS),
            said("ssl-default-server-ciphersuites", _SUITES),
            said("ssl-default-server-options ssl-min-ver TLSv1.2 no-tls-tickets"),
            said("ssl-server-verify required"),
            said("tune.h2.fe.max-concurrent-streams", Int(limits.HTTP_STREAMS)),
        ),
    )


def ring() -> Section:
    """The log: a bounded ring in memory, read through the runtime socket."""
    return Section(said("ring logs"), (said("format raw"), said("maxlen", Int(RING_LINE)), said("size", Int(RING_BYTES))))


def peers(machine: Machine) -> Section:
    """The way of stick tables to the worker after a reload: a unix socket, nothing on the network.

    The old worker connects to it, as the user it runs as: the socket is that user's alone.
    """
    owner: tuple[Leaf, ...] = () if machine.uid is None else (*words("uid"), Int(machine.uid), *words("gid"), Int(machine.uid))
    return Section(said("peers local"), (said("bind unix@run/peers.sock mode 600", *owner), said("server local")))


def resolvers() -> Section:
    """How host names of members are looked up while HAProxy runs: by the servers of the machine's resolv.conf."""
    return Section(said("resolvers dns"), (said("parse-resolv-conf"), said("hold valid", Milliseconds(HOLD_MS))))


def defaults(protocol: str) -> Section:
    """What every proxy of a protocol starts from; frontends and backends lay their own time-outs over it."""
    http = (
        said("option http-restrict-req-hdr-names reject"),
        said("option idle-close-on-response"),
        said("retry-on conn-failure empty-response"),
        said("http-reuse safe"),
        said("compression algo gzip"),  # http.md §2: for clients that ask; what a member has encoded stays as it is
        said("compression type", *COMPRESSED),
        said("option forwardfor"),
        said("option forwarded proto host for"),
        said("unique-id-format", LogFields(keywords.REQUEST_ID)),
    )
    return Section(
        said(f"defaults {protocol}"),
        (
            said(f"mode {protocol}"),
            said("log ring@logs len", Int(RING_LINE), *words("format raw local0 info")),
            said("log-format", LogFields(LOGS[protocol])),
            said("option dontlognull"),
            said("option abortonclose"),
            said("option redispatch", Int(1)),
            said("retries", Int(limits.HTTP_RETRIES)),
            *(http if protocol == "http" else ()),
            *_keepalive("cli"),
            *_keepalive("srv"),
            *_timeouts(protocol),
            said("load-server-state-from-file global"),
        ),
    )


def _keepalive(side: str) -> tuple[Line, ...]:
    return (
        said(f"option {side}tcpka"),
        said(f"{side}tcpka-idle", Milliseconds(limits.KEEPALIVE_IDLE_MS)),
        said(f"{side}tcpka-intvl", Milliseconds(limits.KEEPALIVE_INTERVAL_MS)),
        said(f"{side}tcpka-cnt", Int(limits.KEEPALIVE_PROBES)),
    )


def _timeouts(protocol: str) -> tuple[Line, ...]:
    found = {
        "client": limits.HTTP_IDLE_MS,
        "server": limits.HTTP_SERVER_MS,
        "connect": limits.HTTP_CONNECT_MS,
        "queue": limits.QUEUE_WAIT_MS,
        "http-request": limits.HTTP_HEADERS_MS,
        "http-keep-alive": limits.HTTP_IDLE_MS,
        "tunnel": limits.HTTP_TUNNEL_MS,
        "client-fin": FIN_MS,
        "server-fin": FIN_MS,
        "check": CHECK_MS,
    }
    if protocol == "tcp":
        del found["http-request"], found["http-keep-alive"]
    return tuple(said(f"timeout {word}", Milliseconds(value)) for word, value in found.items())
