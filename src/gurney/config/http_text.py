"""The one place for parsing single values of http and tcp: hosts, paths, header names, statuses, percentages, names of files, their globs.

Each parser takes the text as it stands in the document and returns it (letters folded where the protocol has no case) or raises `Unfit`.
Patterns are ASCII and matched whole; nothing that passes holds a quote `'`, a backslash in a path, a control character (reliability.md §5).
"""

from __future__ import annotations

import re

from gurney.config import addresses, limits, text
from gurney.config.faults import Unfit, shown

_IPV4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_PCHAR = r"[A-Za-z0-9._~!$&()*+,;=:@-]|%[0-9A-Fa-f]{2}"  # RFC 3986 §3.3 without `'`
_PATH = re.compile(rf"(?:/(?:{_PCHAR})*)+")
_PATH_GLOB = re.compile(rf"(?:[/?]|{_PCHAR})*")
_HOST_GLOB = re.compile(r"[A-Za-z0-9.*?-]+")
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")
_METHOD_GLOB = re.compile(r"[A-Za-z0-9!#$%&*+.^_|~?-]+")  # RFC 9110 §9.1 token without ` and '
_HEADER_GLOB = re.compile(r"[\x20-\x26\x28-\x7e]+")
_FILE_NAME = re.compile(r"[A-Za-z0-9_.@+=,() -]+(?:/[A-Za-z0-9_.@+=,() -]+)*")
_PERCENT = re.compile(r"([0-9]{1,3})%")
_STATUS = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?|([1-5])xx")
_INSIDE_HINT = "inside the document's folder, without . and ..; no segment begins with -"
_QUOTE_HINT = "`'` ends a text in HAProxy's file: put ? where it stands"


def host_glob(value: str) -> str:
    """An entry of `hosts`, in lower case: a host name, an IPv4 address, `*.` before a host name, or `*`."""
    name = value.removeprefix("*.")
    if value != "*" and not text.host_name(name) and not (_IPV4.fullmatch(value) and addresses.is_address(value)):
        hint = "letters, digits, hyphens and dots; *.example.org for every name below; * for every host"
        if ":" in value:
            hint = "a host without a port or a scheme: portal.example.org"
        raise Unfit("GRN-S035", f"{shown(value)} is no host", hint)
    return value.lower()


def host(value: str) -> str:
    """What a check sends as Host: a host name or IPv4 address, in lower case."""
    found = addresses.host(value)
    if ":" in found:
        raise Unfit("GRN-S035", f"{shown(value)} is no Host", "a host name or IPv4 address; left out, the member's address is sent")
    return found


def server_name(value: str) -> str:
    """A name to ask for by SNI and to verify: a host name, never an address."""
    if not text.host_name(value):
        raise Unfit("GRN-S035", f"{shown(value)} is no host name", "letters, digits, hyphens and dots: archive.example.org")
    return value.lower()


def path(value: str) -> str:
    """An absolute path (RFC 3986 §3.3): begins with /, no query, no %00."""
    if _PATH.fullmatch(value) is None or len(value) > limits.PATH_CHARACTERS:
        raise Unfit("GRN-S033", f"{shown(value)} is no path", _path_hint(value))
    if "%00" in value:
        raise Unfit("GRN-S033", f"{shown(value)} is no path", "%00 ends a text in many servers")
    return value


def base(value: str) -> str:
    """The path a service lies below: `/`, or segments without a slash at the end, without `.` and `..`."""
    if re.search(r"[{}]", value):
        raise Unfit("GRN-V001", "'base with a {segment}' is not in this version", "a path without braces")
    found = path(value)
    if found == "/":
        return found
    segments = found[1:].split("/")
    if segments[-1] == "":
        raise Unfit("GRN-S033", f"{shown(value)} ends with /", f"without it: {value.rstrip('/') or '/'}")
    if any(segment.replace("%2e", ".").replace("%2E", ".") in ("", ".", "..") for segment in segments):
        raise Unfit("GRN-S033", f"{shown(value)} is no base", "segments that are not empty, . or ..")
    return found


def _path_hint(value: str) -> str:
    if len(value) > limits.PATH_CHARACTERS:
        return f"{limits.PATH_CHARACTERS} characters at most"
    if not value.startswith("/"):
        return "it begins with /"
    if "?" in value or "#" in value:
        return "a path alone: without a query"
    if "'" in value:
        return "`'` ends a text in HAProxy's file; %27 is the same"
    return "letters, digits, -._~!$&()*+,;=:@/ and %XX"


def path_glob(value: str) -> str:
    """A glob over what follows the base: begins with /, * or ?."""
    if _PATH_GLOB.fullmatch(value) is None or len(value) > limits.PATH_CHARACTERS or "%00" in value:
        hint = _QUOTE_HINT if "'" in value else "letters, digits, -._~!$&()*+,;=:@/ and %XX; * any run, ? one character"
        raise Unfit("GRN-S022", f"{shown(value)} can fit no path", hint)
    if value[:1] not in ("/", "*", "?"):
        raise Unfit("GRN-S022", f"{shown(value)} can fit no path", "a path begins with /")
    return value


def match_host(value: str) -> str:
    """A glob over the host, in lower case."""
    if _HOST_GLOB.fullmatch(value) is None or len(value) > limits.HOST_CHARACTERS:
        raise Unfit("GRN-S022", f"{shown(value)} can fit no host", "letters, digits, hyphens, dots, * and ?; no port")
    return value.lower()


def method_glob(value: str) -> str:
    """A glob over the method, in upper case."""
    if _METHOD_GLOB.fullmatch(value) is None or len(value) > limits.HEADER_NAME_CHARACTERS:
        raise Unfit("GRN-S022", f"{shown(value)} can fit no method", "GET, POST, …; * and ? as everywhere")
    return value.upper()


def header_glob(value: str) -> str:
    """A glob over a header's value; case counts."""
    if _HEADER_GLOB.fullmatch(value) is None:
        hint = _QUOTE_HINT if "'" in value else "printable ASCII; * any run of characters, ? one"
        raise Unfit("GRN-S022", f"{shown(value)} can fit no header", hint)
    if value != value.strip(" "):
        raise Unfit("GRN-S022", f"{shown(value)} can fit no header", "spaces around a value are not part of it: leave them out")
    return value


def header_name(value: str) -> str:
    """The name of a header, in lower case; requests with other characters in a name are refused before any rule."""
    if _HEADER_NAME.fullmatch(value) is None or len(value) > limits.HEADER_NAME_CHARACTERS:
        hint = f"letters, digits and hyphens, {limits.HEADER_NAME_CHARACTERS} at most"
        raise Unfit("GRN-S034", f"{shown(value)} is no name of a header", hint)
    return value.lower()


def file_name(value: str) -> str:
    """The name of a file beside the document: relative, without `..`."""
    if value.startswith(("/", "~")) or re.match(r"[A-Za-z]:", value):
        raise Unfit("GRN-S036", f"{shown(value)} is no name of a file", "relative to the document's folder: tls/portal.pem")
    if _FILE_NAME.fullmatch(value) is None or len(value) > limits.FILE_NAME_CHARACTERS or value != value.strip(" "):
        hint = f"letters, digits, spaces and _.@+=,()- in segments apart by /, {limits.FILE_NAME_CHARACTERS} at most"
        raise Unfit("GRN-S036", f"{shown(value)} is no name of a file", hint)
    if any(segment in (".", "..") or segment.startswith("-") for segment in value.split("/")):
        raise Unfit(
            "GRN-S036", f"{shown(value)} is no name of a file", "inside the document's folder, without . and ..; no segment begins with -"
        )
    return value


def percent(value: str) -> int:
    """A percentage, 0% to 100%."""
    found = _PERCENT.fullmatch(value)
    if found is None or int(found[1]) > 100:
        hint = f"{value}%" if value.isascii() and value.isdigit() and len(value) <= 2 else "0% to 100%"
        raise Unfit("GRN-S038", f"{shown(value)} is no percentage", hint)
    return int(found[1])


def statuses(value: str) -> tuple[int, int]:
    """Good statuses of a check: `200`, `200-399` or `2xx`, as a range with both ends."""
    found = _STATUS.fullmatch(value)
    if found is None:
        raise Unfit("GRN-S037", f"{shown(value)} is no status", "200, 200-399 or 2xx")
    if found[3]:
        return int(found[3]) * 100, int(found[3]) * 100 + 99
    low, high = int(found[1]), int(found[2] or found[1])
    if low > high:
        raise Unfit("GRN-S037", f"{shown(value)} is no range of statuses", f"{high}-{low}")
    return low, high


def network(value: str) -> str:
    """A sender's address or network, in canonical CIDR form."""
    if "@" in value:
        raise Unfit("GRN-S024", f"{shown(value)} is no network", "callers of http and tcp have no name: an address or network")
    if text.host_name(value):
        raise Unfit("GRN-S024", f"{shown(value)} is no network", "host names are no sender addresses: write an IP address or network")
    return addresses.network(value)
