"""The one place for a server's state in words: up, down or full, and what its last check said. Pure.

Words are ours, by HAProxy's short code; of its own text only what the system said of a connection is taken ("Connection refused"), never
what a member answered.
"""

from __future__ import annotations

import re

from gurney.engines.haproxy.running import Row

DISABLED = "disabled"
_SYSTEM = re.compile(r"[A-Z][A-Za-z' ()/-]{2,60}")
_ROW = re.compile(r"Detected (\d+) consecutive errors, ")
_CHECKS = {
    "L4OK": "connects",
    "L4TOUT": "no connection in time",
    "L4CON": "no connection",
    "L6OK": "TLS stands",
    "L6TOUT": "TLS did not stand in time",
    "L6RSP": "TLS failed",
    "L7OK": "",
    "L7OKC": "",
    "L7TOUT": "no answer in time",
    "L7RSP": "its answer is not valid",
    "L7STS": "",
    "HANA": "put out for errors in what it was sent",
    "SOCKERR": "no socket could be made here",
}


def operational(row: Row) -> str | None:
    """up, down or full; None for one in maintenance: nobody checks it."""
    if row.status.startswith("MAINT") and row.status != "MAINT (resolution)":
        return None
    if row.status.startswith(("DOWN", "MAINT")):
        return "down"
    slots = row.number("slim")
    return "full" if row.number("qcur") or (slots and row.number("scur") >= slots) else "up"


def check(row: Row) -> str:
    """The last check, as its code and ours: `L7OK 200 in 3 ms`, `L4CON: connection refused`; "" where there was none."""
    code = row.check_status.lstrip("* ")
    if code in ("", "INI", "UNK"):
        return ""
    told = f"{code} {row.check_code}".rstrip() if code.startswith("L7") else code
    if code.endswith(("OK", "OKC", "STS")):
        said = f" {_CHECKS[code]}" if _CHECKS.get(code) else ""
        return f"{told}{said}" + (f" in {row.check_duration} ms" if row.check_duration else "")
    errors = _ROW.match(row.last_chk) if code == "HANA" else None
    if errors is not None:
        return f"{told}: put out for {errors[1]} errors in a row in what it was sent"
    system = row.last_chk if code in ("L4CON", "SOCKERR") and _SYSTEM.fullmatch(row.last_chk) else ""
    said = (system[:1].lower() + system[1:]) or _CHECKS.get(code, "")
    return f"{told}: {said}" if said else told


def why(row: Row, sessions: int) -> str:
    """What a person wants to know beside the word."""
    ending = f", {sessions} sessions left" if sessions > 1 else ", 1 session left" if sessions else ""
    if row.status == "MAINT (resolution)":
        return "its name has no address"
    if row.status.startswith("MAINT"):
        return f"{DISABLED}: takes nothing{ending}"
    found = [check(row)]
    if row.uweight == "0":
        found.append(f"drain: takes known clients only{ending}")
    if row.throttle and row.throttle != "100":
        found.append(f"slow start at {row.throttle} %")
    trend = re.fullmatch(r"(UP|DOWN) (\d+)/(\d+)", row.status)
    passed = row.check_status.lstrip("* ").endswith(("OK", "OKC"))
    if trend is not None and trend[1] == "DOWN" and passed:
        found.append(f"{trend[2]} of {trend[3]} good checks")
    elif trend is not None and trend[1] == "UP" and not passed and row.check_status:
        found.append(f"goes down after {trend[2]} more")
    if row.check_status.lstrip("* ") == "INI":
        found = [one for one in found if not one.startswith("goes down")] + ["not checked yet"]
    elif row.status == "no check":
        found.append("without a check")
    return "; ".join(one for one in found if one)
