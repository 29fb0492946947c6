"""The one place for the words of HAProxy's grammar that may appear in a file of ours, and for judging any text by them.

A tree can hold no other word than `WORDS`. `judge` reads a text anew, whoever wrote it: it knows nothing of the tree, only these tables:
what may begin a line of which section, which options a `bind` and a `server` line may have with how many values, which sample fetches and
converters there are, and what must not stand anywhere (reliability §5).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

from gurney.compile.haproxy import reading, tainted
from gurney.compile.haproxy.reading import Read, ReadLine

DENIED: tuple[str, ...] = (
    "lua-", "lua.", "external-check", "insecure-", "program", "ssl-engine", "ssl-provider", "setenv", "presetenv", "resetenv", "unsetenv",
    "fcgi-app", "use-fcgi-app", "accept-unsafe-violations", "accept-invalid-http-", "h1-accept-payload", ".if", ".elif", ".else", ".endif",
    ".diag", ".notice", ".warning", ".alert", "quic4@", "quic6@", "filter", "unix-bind", "chroot", "user", "group", "pidfile", "mailers",
    "userlist", "cache", "http-client.", "httpclient.", "expose-experimental", "stats-file", "errorfile", "capture",
)  # fmt: skip
DENIED_CALLS = ("json_query", "env", "lua", "fetch_map", "http_auth", "http_auth_group", "nbproc")

_GLOBAL = """
description;maxconn;uid;gid;localpeer;stats socket;server-state-file;hard-stop-after;
ssl-default-bind-ciphers;ssl-default-bind-ciphersuites;ssl-default-bind-curves;ssl-default-bind-options;
ssl-default-server-ciphers;ssl-default-server-ciphersuites;ssl-default-server-options;ssl-server-verify required;
tune.h2.fe.max-concurrent-streams"""
_DEFAULTS = """
mode http;mode tcp;log ring@logs;log-format;unique-id-format;option dontlognull;option abortonclose;option redispatch;retries;
option http-restrict-req-hdr-names reject;option idle-close-on-response;retry-on conn-failure;http-reuse safe;
option forwardfor;option forwarded proto host for;compression algo gzip;compression type;
option clitcpka;clitcpka-idle;clitcpka-intvl;clitcpka-cnt;option srvtcpka;srvtcpka-idle;srvtcpka-intvl;srvtcpka-cnt;
timeout client;timeout server;timeout connect;timeout queue;timeout http-request;timeout http-keep-alive;timeout tunnel;
timeout client-fin;timeout server-fin;timeout check;load-server-state-from-file global"""
_FRONTEND = """
bind;maxconn;timeout client;timeout http-request;timeout http-keep-alive;
tcp-request connection expect-proxy layer4 if;tcp-request connection reject unless;tcp-request session reject unless;
tcp-request content reject if;tcp-request content set-var;http-request set-var;http-request return status;http-request redirect prefix;
http-request wait-for-body time;http-request disable-l7-retry unless;http-request del-header;http-request set-header;
http-after-response set-header;acl;use_backend;default_backend"""
_BACKEND = """
balance;hash-type consistent;cookie;stick-table type ipv6;stick on;timeout queue;timeout server;timeout tunnel;timeout check;
tcp-request content reject if;http-request return status;option httpchk;http-check send meth GET uri;http-check expect status;
http-error status 503;server"""
SECTIONS: Mapping[str, frozenset[str]] = {
    name: frozenset(phrase.strip() for phrase in phrases.split(";"))
    for name, phrases in {
        "global": _GLOBAL,
        "defaults": _DEFAULTS,
        "ring": "format raw;maxlen;size",
        "peers": "bind unix@run/peers.sock mode 600;server local",
        "resolvers": "parse-resolv-conf;hold valid",
        "frontend": _FRONTEND,
        "backend": _BACKEND,
    }.items()
}
BIND: Mapping[str, int] = {  # option → how many values follow
    "v6only": 0, "ssl": 0, "crt-list": 1, "alpn": 1, "ca-file": 1, "verify": 1, "crl-file": 1, "tcp-ut": 1,
}  # fmt: skip
SERVER: Mapping[str, int] = {
    "id": 1, "cookie": 1, "weight": 1, "disabled": 0, "backup": 0, "maxconn": 1, "maxqueue": 1, "slowstart": 1, "send-proxy": 0,
    "send-proxy-v2": 0, "check-send-proxy": 0, "ssl": 0, "verify": 1, "ca-file": 1, "sni": 1, "verifyhost": 1, "crt": 1, "alpn": 1,
    "check-sni": 1, "check-alpn": 1, "check": 0, "inter": 1, "rise": 1, "fall": 1, "track": 1, "observe": 1, "error-limit": 1,
    "on-error": 1, "tcp-ut": 1, "resolvers": 1, "init-addr": 1,
}  # fmt: skip
CALLS: frozenset[str] = frozenset(
    """
    add bool concat date hdr hex host_only int ipmask lower map_beg map_end map_str map_str_int method nbsrv path queue rand req.body_size
    req.fhdr req.hdr req.ver rtrim sha2 src srv_name ssl_c_der ssl_c_i_dn ssl_c_s_dn ssl_c_serial ssl_c_used ssl_c_verify ssl_fc_sni str
    sub uuid var
    """.split()
)
_TEXTS = """
frontend backend logs local dns from 600 mode level admin expose-fd listeners unix@run/admin.sock run/server-state format raw len info
local0 http tcp unix@run/peers.sock if unless -m -f bool found beg end sub reg str int ip eq ge gt lt
TLSv1.2 ssl-min-ver no-tls-tickets conn-failure empty-response peers type ipv6 size expire on table
ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-RSA-AES256-GCM-SHA384
TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256 X25519 P-256 P-384
leastconn roundrobin random(2) hash uri insert indirect nocache httponly secure maxidle maxlife consistent
proto host for h2 http/1.1 required optional layer4 mark-down last,libc,none /etc/ssl/certs/ca-certificates.crt
ver HTTP/1.1 hdr content-type text/html text/plain text/css text/javascript application/javascript application/json application/xml
image/svg+xml string file code GET HEAD at-least 2.0 true rfc2253 _panic . /
txn.host txn.path txn.site txn.service txn.rule txn.pool txn.usable txn.need txn.trusted
set-var(txn.host) set-var(txn.path) set-var(txn.site) set-var(txn.service) set-var(txn.rule) set-var(txn.pool) set-var(txn.usable)
set-var(txn.need) set-var(txn.trusted)
"""
WORDS: frozenset[str] = (
    frozenset(_TEXTS.split())
    | {""}  # an argument left out
    | {word for phrases in SECTIONS.values() for phrase in phrases for word in phrase.split()}
    | SECTIONS.keys()
    | BIND.keys()
    | SERVER.keys()
    | CALLS
)
REQUEST_ID = "%[uuid()]"
# No %r, %HU, %HQ, no path, no header, no value: reliability §7. Names are server-made, numbers are HAProxy's.
HTTP_LOG = (
    '{"time":"%[date(0,ms)]","id":"%ID","frontend":"%f","backend":"%b","server":"%s","service":"%[var(txn.service)]",'
    '"rule":"%[var(txn.rule)]","status":%ST,"in":%U,"out":%B,'
    '"ms":{"request":%TR,"queue":%Tw,"connect":%Tc,"response":%Tr,"all":%Ta},"end":"%tsc","tls":"%sslv","address":"%ci"}'
)
TCP_LOG = (
    '{"time":"%[date(0,ms)]","frontend":"%f","backend":"%b","server":"%s","service":"%[var(txn.service)]",'
    '"rule":"%[var(txn.rule)]","in":%U,"out":%B,"ms":{"queue":%Tw,"connect":%Tc,"all":%Tt},"end":"%ts","tls":"%sslv","address":"%ci"}'
)
FORMATS: frozenset[str] = frozenset({REQUEST_ID, HTTP_LOG, TCP_LOG})
_FILE = re.compile(r"current/(?:maps|certificates|pages|lists)/[a-z0-9_]+\.(?:map|list|pem|txt)")
_FILED = frozenset({"ca-file", "crl-file", "crt", "crt-list", "-f", "file"})  # what follows them is a file
_SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"
_MAPPED = re.compile(r"map[a-z_]*\(([^,)]*)")
_DENIED = re.compile("|".join(map(re.escape, DENIED)))
_DENIED_CALL = re.compile(rf"(?:{'|'.join(DENIED_CALLS)})\(")
_PLACE = re.compile(r"s_[a-z0-9]+|\[[0-9a-f:.]+\]:[0-9]+|[a-z0-9.-]*:[0-9]+")  # a server's name; an address or a host name with its port
_NAME = re.compile(r"[A-Za-z0-9-]+")
_NUMBER = r"[0-9]+(?:ms|s|m|h)?"
_STATUSES = r"[1-5][0-9]{2}(?:-[1-5][0-9]{2})?"
_VALUE = re.compile(rf"{_NUMBER}|{_STATUSES}(?:,{_STATUSES})*|!?[a-z]{{1,3}}_[a-z0-9_]+|[0-9a-f]{{16,64}}|!?\{{|\}}|--|{_FILE.pattern}")
_CALL = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*)(\([^()]*\))?")
_TEXT_FOLLOWS = frozenset({"string", "content-type", "log-format", "unique-id-format", "uri", "prefix", "use_backend"})
_NAMED_FOLLOWS = frozenset({"set-header", "del-header", "hdr"})  # a name follows, then text
_CALLED = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*)\(")
_EXPRESSION = re.compile(r"%\[([^\]]*)\]")
_LONGEST = 6  # words of a phrase


def judge(name: str, text: str) -> tuple[str, ...]:
    """What is wrong with the text of a configuration, in words (`haproxy.cfg:12: …`), every fault of it; none: it may be used.

    Every file of ours passes; so does no file that holds what `SECTIONS` does not know. The values on a line are never said.
    """
    return tuple(f"{name}:{number}: {what}" for number, what in _faults(text))


def _faults(text: str) -> Iterator[tuple[int, str]]:
    section: str | None = None
    plain = text.replace("\n", "")
    if tainted.fault(plain) is not None:
        yield 1, f"the file holds {tainted.fault(plain)}"
    for line in reading.lines(text):
        yield from ((line.number, what) for what in _form(line))
        if not line.words:
            continue
        first = line.words[0].text
        if first in SECTIONS:
            section = first
        elif section is None:
            yield line.number, "stands in no section"
        else:
            yield from ((line.number, what) for what in _line(section, line.words))
        yield from ((line.number, what) for what in _denied(line.words))


def _form(line: ReadLine) -> Iterator[str]:
    if line.open:
        yield "a quote is not closed"
    if line.comment:
        yield "has a comment"
    if any(word.active for word in line.words):
        yield "has something HAProxy would expand or unescape"


def _line(section: str, words: Sequence[Read]) -> Iterator[str]:
    texts = [word.text for word in words[:_LONGEST]]
    known = SECTIONS[section]
    if not any(" ".join(texts[:count]).partition("(")[0] in known for count in range(1, len(texts) + 1)):
        yield f"this may not stand in {section}"
        return
    if section in ("frontend", "backend") and texts[0] in ("bind", "server"):
        head, options = (2, BIND) if texts[0] == "bind" else (3, SERVER)
        if not all(_PLACE.fullmatch(word.text) and not word.quoted for word in words[1:head]):
            yield "has no address and name as we write them"
        yield from _options(words[head:], options)
    else:
        yield from _places(words)
    for word in words:
        yield from _calls(word)
    for before, word in itertools.pairwise(words):
        if before.text in _FILED and not before.quoted and not _FILE.fullmatch(word.text) and word.text != _SYSTEM_CA:
            yield "names a file that is none of the bundle's"


def _places(words: Sequence[Read]) -> Iterator[str]:
    """Whether every word is one of the grammar or a value of ours; text of any kind stands only behind what takes text."""
    for at, word in enumerate(words):
        before, further = words[at - 1].text if at else "", words[at - 2].text if at > 1 else ""
        if before in _TEXT_FOLLOWS or further in _NAMED_FOLLOWS:
            continue
        if before in _NAMED_FOLLOWS and _NAME.fullmatch(word.text):
            continue
        if word.quoted or not (word.text in WORDS or _VALUE.fullmatch(word.text) or _expression(word.text)):
            yield "has a word that is not known"
            return


def _expression(text: str) -> bool:
    """A sample expression whose fetch and converters are all known, or words joined by a comma or a colon."""
    if all(part in WORDS for part in re.split("[,:]", text)):
        return True
    calls = _CALL.findall(text)
    return ",".join(f"{name}{arguments}" for name, arguments in calls) == text and all(name in CALLS for name, _ in calls)


def _options(words: Sequence[Read], known: Mapping[str, int]) -> Iterator[str]:
    at = 0
    while at < len(words):
        arity = known.get(words[at].text)
        if arity is None or words[at].quoted:
            yield "has an option that is not known"
            return
        if words[at].text == "verify" and (at + 1 >= len(words) or words[at + 1].text == "none"):
            yield "verifies nothing"
        at += 1 + arity
    if at != len(words):
        yield "has an option without its value"


def _calls(word: Read) -> Iterator[str]:
    """Sample fetches and converters, where the word is or holds an expression."""
    texts = _EXPRESSION.findall(word.text.replace("%%", "")) if word.quoted else [word.text]
    for text in texts:
        for called in _CALLED.findall(text):
            if called not in CALLS and called not in ("set-var", "set", "random"):
                yield "calls what is not known"
        if not all(_FILE.fullmatch(file) for file in _MAPPED.findall(text)):
            yield "names a file that is none of the bundle's"


def _denied(words: Sequence[Read]) -> Iterator[str]:
    for at, word in enumerate(words):
        if not word.quoted and _DENIED.match(word.text) and (at == 0 or word.text not in WORDS):
            yield "has a word that is denied"
        if "(" in word.text and (not word.quoted or "%[" in word.text) and _DENIED_CALL.search(word.text):
            yield "calls what is denied"
