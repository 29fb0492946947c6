"""The one place for the hostile texts of the tests (reliability.md §5, "Corpus"): what could end a line, a word, a quote, an expression."""

from __future__ import annotations

FRAGMENTS = (
    *("\r", "\n", "\r\n", "\x85", "\u2028", "\u2029", "\0", "\t", "\x0b", "\x0c", "\x1b[31m", "\x7f", "\u202e", "\ufeff", "\ud800"),
    *(" ", "  ", "#", ";", "{", "}", "{}", "(", ")", "[", "]", "|", "&", "&&", "<", ">", "`", "^", "~", "!", ",", ":", "@", "="),
    *("'", '"', "\\", "\\n", "\\\\", "''", '""', "')..os.execute('id", "\\'", '\\"', "'; id; '"),
    *("%", "%%", "%00", "%0a", "%0d%0a", "%27", "%[", "%[env(X)]", "%[env(PATH)]", "%{+Q}r", "%ci", "%[req.hdrs]", "%[lua.x]"),
    *("$", "$X", "${X}", "${PATH}", '"${X}"', "$(id)", "`id`", "$(<x)", "{{7*7}}", "<%= 1 %>"),
    *("-f", "-m", "--", "-i", "-f /etc/passwd", "-m reg .*", "-M", "-n", "!", "if TRUE", "unless FALSE", "or", "||"),
    *("١", "٢٠٠", "１", "²", "e\u0301", "é", "ﬁ", "\u00a0", "\u200b", "\u0130"),
    *("..", "../..", "../../etc/passwd", "/etc/passwd", "/", "//", "./a", "~root", "file:///etc/passwd", "\\\\host\\share"),
    *("lua-load /x.lua", "bind :1", "server s 10.9.9.9:9", "use_backend x", "acl a always_true", "global", "frontend x", "program p"),
    *("*", "**", "?", "*.*", "a*b*c*d*e", "null", "yes", "0x10", "1e3", "-1", "99999999999999999999", "9" * 400, "x" * 1024, "x" * 65_536),
)


def payloads() -> tuple[str, ...]:
    """Every fragment alone, before, behind and between letters."""
    return tuple(dict.fromkeys(text for one in FRAGMENTS for text in (one, f"x{one}", f"{one}x", f"x{one}x", f"/{one}")))
