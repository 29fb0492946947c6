"""The one place for the words of HAProxy's grammar that may appear in a file of ours; a tree can hold no other."""

from __future__ import annotations

WORDS: frozenset[str] = frozenset(
    """
    global defaults ring peers resolvers frontend backend logs local dns http tcp
    description maxconn nbthread localpeer stats socket unix@run/admin.sock mode 600 level admin expose-fd listeners timeout
    server-state-file run/server-state hard-stop-after uid gid
    ssl-default-bind-ciphers ssl-default-bind-ciphersuites ssl-default-bind-curves ssl-default-bind-options
    ssl-default-server-ciphers ssl-default-server-ciphersuites ssl-default-server-options ssl-server-verify required
    ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-RSA-AES256-GCM-SHA384
    TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256 X25519 P-256 P-384
    ssl-min-ver TLSv1.2 no-tls-tickets prefer-client-ciphers
    tune.h2.fe.max-concurrent-streams tune.bufsize
    format raw maxlen size bind unix@run/peers.sock server parse-resolv-conf hold valid
    log ring@logs len local0 info option redispatch retries retry-on conn-failure empty-response
    http-restrict-req-hdr-names reject idle-close-on-response clitcpka srvtcpka clitcpka-idle clitcpka-intvl clitcpka-cnt
    srvtcpka-idle srvtcpka-intvl srvtcpka-cnt abortonclose http-reuse safe dontlognull
    client queue connect http-request http-keep-alive tunnel client-fin server-fin check
    load-server-state-from-file log-format unique-id-format
    v4v6 tcp-ut default_backend use_backend balance roundrobin leastconn random(2)
    on-marked-down shutdown-sessions maxqueue
    ver HTTP/1.1 hdr Host
    id weight inter rise fall slowstart disabled httpchk http-check send meth GET uri ver HTTP/1.1 hdr expect status
    src req.fhdr host_only lower set-header del-header set-var -m -i beg str if unless method HEAD disable-l7-retry
    """.split()
)

FORMATS: frozenset[str] = frozenset(
    {
        "%[uuid()]",
        '{"time":"%[date(0,ms)]","id":"%ID","frontend":"%f","backend":"%b","server":"%s","service":"%[var(txn.service)]",'
        '"rule":"%[var(txn.rule)]","status":%ST,"in":%U,"out":%B,"ms":{"request":%TR,"queue":%Tw,"connect":%Tc,"response":%Tr,"all":%Ta},'
        '"end":"%tsc","tls":"%sslv","address":"%ci"}',
    }
)
