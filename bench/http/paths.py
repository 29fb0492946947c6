"""The one place for the paths that are compared over HTTP: what Gurney compiles, a HAProxy file by hand, nginx, and nothing between.

All stand side by side in front of one sink (a HAProxy that answers by itself, one thread), and only one is driven at a time.
"""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.dicom.paths import Standing, argv_of, haproxy_binary, listens, processes, start, until

BODY = 1024
SUITES = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
CIPHERS = ":".join(f"ECDHE-{k}-AES{n}-GCM-SHA{h}" for k in ("ECDSA", "RSA") for n, h in ((128, 256), (256, 384)))

SINK = """
global
    nbthread 1
    maxconn 4000
defaults
    mode http
    timeout client 60s
    timeout http-keep-alive 60s
frontend sink
    bind 127.0.0.1:{sink}
    http-request return status 200 content-type text/plain file {folder}/body.txt
"""

# Equal features, as an engineer writes them: checks, retries, limits, forwarded headers made true, a request log, the TLS profile.
BY_HAND = """
global
    maxconn 5000
    hard-stop-after 12h
    stats socket unix@{folder}/hand.sock mode 600 level admin expose-fd listeners
    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
    ssl-default-bind-ciphers {ciphers}
    ssl-default-bind-ciphersuites {suites}
ring logs
    format raw
    maxlen 2048
    size 1048576
defaults
    mode http
    log ring@logs len 2048 format raw local0 info
    log-format '{log}'
    unique-id-format %[uuid()]
    option dontlognull
    option abortonclose
    option forwardfor
    option forwarded proto host for
    compression algo gzip
    compression type text/html text/plain text/css application/javascript application/json application/xml image/svg+xml
    option clitcpka
    option srvtcpka
    option idle-close-on-response
    option http-restrict-req-hdr-names reject
    option redispatch 1
    retries 3
    retry-on conn-failure empty-response
    http-reuse safe
    timeout connect 3s
    timeout client 60s
    timeout server 60s
    timeout queue 5s
    timeout http-request 10s
    timeout http-keep-alive 60s
    timeout tunnel 1h
frontend site
    bind 127.0.0.1:{clear}
    bind 127.0.0.1:{tls} ssl crt {folder}/site.pem alpn h2,http/1.1
    http-request disable-l7-retry unless METH_GET or {{ method HEAD }}
    http-request del-header Forwarded
    http-request del-header X-Forwarded- -m beg
    http-request del-header X-SSL-Client- -m beg
    http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    http-request set-header X-Forwarded-Port %[dst_port]
    use_backend servers_panic if {{ nbsrv(servers) lt 1 }}
    default_backend servers
backend servers
    balance leastconn
    option httpchk GET /
    http-request return status 503 content-type text/plain string "busy" hdr Retry-After 2 if {{ queue(servers) ge 1000 }}
    server s1 127.0.0.1:{sink} check inter 2s rise 2 fall 3 maxconn 200 slowstart 30s observe layer4 error-limit 10 on-error mark-down
backend servers_panic
    balance leastconn
    server s1 127.0.0.1:{sink} maxconn 200
"""
LOG = (
    '{"time":"%[date(0,ms)]","id":"%ID","fe":"%f","be":"%b","srv":"%s","status":%ST,"in":%U,"out":%B,'
    '"ms":{"request":%TR,"queue":%Tw,"connect":%Tc,"response":%Tr,"all":%Ta},"end":"%tsc","tls":"%sslv","ip":"%ci"}'
)

NGINX = """
worker_processes {threads};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx-errors.log crit;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    {temp}
    upstream servers {{ server 127.0.0.1:{sink}; keepalive 64; }}
    server {{
        listen 127.0.0.1:{clear};
        listen 127.0.0.1:{tls} ssl;
        ssl_certificate {folder}/site.pem;
        ssl_certificate_key {folder}/site.pem;
        ssl_protocols TLSv1.2 TLSv1.3;
        keepalive_requests 1000000;
        location / {{
            proxy_pass http://servers;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
    }}
}}
"""

GURNEY = """
gurney: 1
applications:
  web:
    services:
      clear: {{protocol: http, listen: "127.0.0.1:{clear}", rules: [{{pool: servers}}]}}
      tls: {{protocol: http, listen: "127.0.0.1:{tls}", tls: {{certificate: site.pem}}, rules: [{{pool: servers}}]}}
    pools:
      servers: {{check: {{kind: http, path: /}}, members: {{s1: "127.0.0.1:{sink}"}}}}
"""


def certificate(folder: Path) -> None:
    """A self-signed P-256 certificate with its key, `site.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench.test")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=30))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("bench.test")]), critical=False)
    pem = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "site.pem").write_bytes(pem + private)


def sink(folder: Path, port: int) -> Standing:
    """The origin: HAProxy answering by itself from memory."""
    (folder / "body.txt").write_text("." * BODY)
    return _haproxy("sink", folder, SINK.format(sink=port, folder=folder), port)


def _haproxy(name: str, folder: Path, text: str, port: int) -> Standing:
    config = folder / f"{name}.cfg"
    config.write_text(text)
    process = start([haproxy_binary(), "-db", "-f", str(config)], folder, name)
    path = Standing(name, port, [process.pid], [process])
    _wait(path, folder / f"{name}.log")
    return path


def _wait(path: Standing, log: Path) -> None:
    try:
        until(lambda: path.processes[0].poll() is not None or listens(path.port), 15, f"{path.name} listens")
        if path.processes[0].poll() is not None:
            raise RuntimeError(f"{path.name}: {log.read_text()[-2000:]}")
    except RuntimeError:
        path.close()
        raise


def by_hand(folder: Path, clear: int, tls: int, sink: int) -> Standing:
    """HAProxy with a file written by hand: the same program, the same number of threads."""
    text = BY_HAND.format(folder=folder, clear=clear, tls=tls, sink=sink, ciphers=CIPHERS, suites=SUITES, log=LOG)
    return _haproxy("by-hand", folder, text, clear)


def nginx(folder: Path, clear: int, tls: int, sink: int) -> Standing:
    """nginx as its guide says, with connections to the sink kept."""
    words = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temp = "\n    ".join(f"{w}_temp_path {folder}/nginx-{w};" for w in words)
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(threads=os.cpu_count() or 1, folder=folder, clear=clear, tls=tls, sink=sink, temp=temp))
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin") or "nginx"
    process = start([program, "-p", str(folder), "-c", str(config), "-e", str(folder / "nginx.log")], folder, "nginx")
    path = Standing("nginx", clear, [process.pid], [process])
    _wait(path, folder / "nginx.log")
    path.pids = [pid for pid in processes() if pid == process.pid or _parent(pid) == process.pid]
    return path


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def gurney(folder: Path, clear: int, tls: int, sink: int) -> Standing:
    """`gurney up` with the same service."""
    state, file = folder / "state", folder / "gurney.yaml"
    file.write_text(GURNEY.format(clear=clear, tls=tls, sink=sink))
    argv = [sys.executable, "-m", "gurney"]
    process = start([*argv, "up", str(file), "--state", str(state)], folder, "gurney")

    def down() -> None:
        subprocess.run([*argv, "down", "--state", str(state)], capture_output=True, timeout=60)

    path = Standing("gurney", clear, [], [process], down)
    log = folder / "gurney.log"
    try:
        until(lambda: process.poll() is not None or "\nready" in "\n" + log.read_text(), 40, "gurney up prints ready")
        if process.poll() is not None:
            raise RuntimeError(f"gurney up: {log.read_text()[-2000:]}")
        path.pids = [pid for pid in processes() if f"{state}/apps/web/haproxy" in argv_of(pid)]
    except RuntimeError:
        path.close()
        raise
    return path


PATHS: dict[str, Callable[[Path, int, int, int], Standing]] = {"by-hand": by_hand, "gurney": gurney, "nginx": nginx}


def installed() -> list[str]:
    """The paths this machine has: nginx only where it is installed."""
    return [p for p in PATHS if p != "nginx" or shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin")]
