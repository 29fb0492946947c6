"""The one place for the documents the tests of `config` share: whole ones, and one with a hole for a fragment."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parents[1]

SMALLEST = """gurney: 1
applications:
  pacs:
    services:
      store: {protocol: dicom, listen: 11112, accept_from: [10.0.0.0/8]}
    pools:
      archive: [ARCHIVE1@10.0.0.11:11112, ARCHIVE2@10.0.0.12:11112]
"""

EVERYTHING = r"""gurney: 1
sites:
  london: {jurisdiction: GB, nodes: {lb1: 10.0.0.2, lb2: lb2.example.org}}
  aws-london: {jurisdiction: GB, cloud: aws}
  oslo: {jurisdiction: NO}
applications:
  pacs:
    limits: {associations: 512, max_object: 8GiB}
    services:
      store:
        protocol: dicom
        listen: [11112, 10.0.0.2:104, "[fd00::2]:104"]
        ae_title: PACS
        accept_from: [CT1@10.0.0.31, MR*@10.0.3.0/24, 10.9.0.0/16, US1, "*@fd00::/8", "fd00::31"]
        delivery: relay
        echo: pool
        prefer: [1.2.840.10008.1.2.1, 1.2.840.10008.1.2]
        non_patient: balance
        duplicates: forward
        digest: none
        replay_limit: 8MiB
        limits: {associations_per_address: 128, associations_per_ae: 16, unassociated: 100, unassociated_per_address: 10}
        rules:
          - name: mammography
            match: {modality: MG, calling_ae: [MG1, "MG?2*"], network: [10.0.3.0/24, 10.0.0.31]}
            pool: breast
            urgency: critical
          - match:
              tag(0010,0040): F
              tag(0019,xx10,ACME): R*
              sop_class: 1.2.840.10008.5.1.4.1.1.*
              listener: "*:11112"
              request: store
            pool: archive
          - pool: archive
      second: {protocol: dicom, listen: 127.0.0.1:11113, prefer: 1.2.840.10008.1.2, rules: [{pool: breast}]}
      secure:
        protocol: dicom
        listen: 2762
        tls: {certificate: tls/pacs.pem, client_ca: tls/modalities.pem, crl: tls/revoked.pem, suites: modified}
        rules: [{match: {tls_subject: [DNS:ct1.example.org, CN=MR1*]}, pool: archive}, {pool: vna}]
    pools:
      archive:
        balance: least-load
        keep: patient
        site: london
        weight: 60
        check: {kind: dicom-associate, interval: 500ms, timeout: 1m, rise: 1, fall: 5}
        statuses: {A9xx: next, "0110": final, C0xx: again, A700: next-repin}
        members:
          archive-1: ARCHIVE1@10.0.0.11:11112
          archive-2:
            address: ARCHIVE2@archive-2.example.org:11112
            weight: 50
            calling_ae: GURNEY
            max_associations: 1
            max_bytes: 64MiB
            async_ops: 1
            site: aws-london
            check: {kind: dicom-echo, fall: 2, expect_contexts: [[1.2.840.10008.5.1.4.1.1.2, 1.2.840.10008.1.2.1]]}
          archive-3: {address: "fd00::13", port: 104, ae_title: "ARCHIVE 3"}
          archive-4: 10.0.0.14:104
      breast: [BREAST@10.0.0.21:104, "[fd00::21]:104", {address: "BREAST2@10.0.0.22", port: 104, weight: 7}]
      vna:
        tls: {ca: tls/inside.pem, certificate: tls/gurney.pem}
        members:
          vna-1: VNA@10.0.0.41:2762
          vna-2: {address: VNA@vna.example.org:2762, tls: {ca: system, server_name: Vna-2.example.org}}
"""


PORTAL = r"""gurney: 1
sites:
  london: {jurisdiction: GB}
applications:
  portal:
    limits: {connections: 800, associations: 64}
    services:
      web:
        protocol: http
        listen: [443, "[fd00::2]:8443"]
        hosts: [Portal.example.org, "*.north.example.org"]
        base: /portal/v1
        tls:
          certificate: [tls/portal.pem, tls/north.pem]
          client_ca: tls/staff.pem
          client: optional
          crl: tls/revoked.pem
          alpn: [http/1.1]
          hsts: 1y
          redirect_from: 80
        accept_from: [10.0.0.0/8, "fd00::/8"]
        accept_proxy_from: 10.0.0.2
        trust_forwarded_from: [10.0.0.2/32]
        limits: {headers: 5s, body: 64MiB, idle: 2m}
        rules:
          - name: api
            match:
              method: [get, POST]
              path: [/api/*, "*.json"]
              host: "*.North.example.org"
              network: 10.0.0.31
              "header:X-Tenant": north
              header: {Accept-Language: [en*, "d?"]}
            pool: api
          - pool: pages
      images:
        protocol: http
        listen: [443, "[fd00::2]:8443"]
        hosts: portal.example.org
        base: /images
        tls: {certificate: tls/portal.pem, client_ca: tls/staff.pem, client: optional, crl: tls/revoked.pem, alpn: http/1.1}
        accept_proxy_from: [10.0.0.2]
        limits: {headers: 5s, body: none, idle: 2m}
        rules: [{pool: api}]
      records:
        protocol: tcp
        listen: 5432
        hosts: [records.example.org]
        tls: {certificate: tls/records.pem}
        accept_from: 10.0.0.0/8
        accept_proxy_from: []
        limits: {connections: 100, idle: 1h}
        rules: [{name: near, match: {network: 10.0.3.0/24, host: records.*}, pool: records}, {pool: records}]
      plain: {protocol: tcp, listen: 10.0.0.2:5433, rules: [{pool: spare}]}
      store: {protocol: dicom, listen: 11112, rules: [{pool: archive}]}
    pools:
      pages:
        balance: header:X-Session
        persist: {by: cookie, for: 1h, then: source}
        max_in_flight: 50
        queue: {most: 10, wait: 500ms}
        slow_start: 0s
        panic: 50%
        fallback: sorry
        check:
          {kind: http, path: /health, interval: 500ms, timeout: 1s, rise: 1, fall: 5, host: portal.example.org, expect: [2xx, 301-302]}
        tls: {ca: tls/inside.pem, server_name: Pages.example.org, certificate: tls/us.pem}
        weight: 60
        site: london
        members:
          one: 10.0.3.1:8080
          two:
            address: pages-2.example.org
            port: 8443
            weight: 20
            site: london
            proxy: v2
            tls: {ca: system}
            check: {path: /two, fall: 2}
      api: {balance: uri, persist: cookie, max_in_flight: none, members: ["10.0.3.4:80", "[fd00::4]:80"]}
      sorry: {fallback: {page: pages/sorry.html}, check: {kind: tcp}, members: [10.0.3.9:80]}
      records:
        balance: failover
        persist: {by: none, for: 10s}
        max_in_flight: 20
        queue: {most: 5}
        check: {kind: http, path: /ready}
        fallback: spare
        members: [10.0.4.1:5432, {address: 10.0.4.2:5432, proxy: v1}]
      spare: {balance: source, members: [10.0.4.3:5432]}
      archive: [ARCHIVE1@10.0.0.11:11112]
"""


def with_web(fragment: str) -> str:
    """A whole document whose one http service has `fragment` (flow style, without braces) among its keys."""
    return f"""gurney: 1
applications:
  portal:
    services:
      web: {{protocol: http, listen: 8080, {fragment}}}
    pools:
      pages: [10.0.3.1:8080]
"""


def with_web_pool(fragment: str, protocol: str = "http") -> str:
    """A whole document whose one pool, of a service of `protocol`, is `fragment` (flow style)."""
    return f"""gurney: 1
applications:
  portal:
    services:
      web: {{protocol: {protocol}, listen: 8080}}
    pools:
      pages: {fragment}
"""


def with_service(fragment: str) -> str:
    """A whole document whose one service has `fragment` (flow style, without braces) among its keys."""
    return f"""gurney: 1
applications:
  pacs:
    services:
      store: {{protocol: dicom, listen: 11112, {fragment}}}
    pools:
      archive: [ARCHIVE1@10.0.0.11:11112]
"""


def with_pool(fragment: str) -> str:
    """A whole document whose one pool is `fragment` (flow style)."""
    return f"""gurney: 1
applications:
  pacs:
    services:
      store: {{protocol: dicom, listen: 11112}}
    pools:
      archive: {fragment}
"""


def legal() -> dict[str, str]:
    """Every legal document of the tests by name, the golden ones and the demo's included."""
    found = {"smallest": SMALLEST, "everything": EVERYTHING, "portal": PORTAL}
    for path in sorted((TESTS / "golden").rglob("*.yaml")):
        found[str(path.relative_to(TESTS / "golden").with_suffix(""))] = path.read_text("utf-8")
    for path in sorted((TESTS.parent / "blueprints").glob("*/gurney.yaml")):
        found[f"blueprint {path.parent.name}"] = path.read_text("utf-8")
    demo = TESTS.parent / "src/gurney/demo/gurney.yaml"
    found["demo"] = demo.read_text("utf-8")
    return found


def refused() -> dict[str, str]:
    """Every document of tests/refused by name."""
    return {path.stem: path.read_text("utf-8") for path in sorted((TESTS / "refused").glob("*.yaml"))}
