"""The one place for texts that want to be a path, a command, a line or a colour where a UID, an AE title or a patient id is due.

dicom.md §8, list 5 and reliability.md H6: CVE-2022-2119, CVE-2022-2120, CVE-2026-50003, CVE-2026-32711, CVE-2026-52868, DCMTK 4527dff5.
"""

from __future__ import annotations

import itertools

MARK = b"zqx7"  # stands in every name that could become a file, so that a file of that name can be looked for

FIXED = (
    b"", b" ", b"\0", b"\0" * 16, b".", b"..", b"../", b"../x", b"..\\x", b"/", b"//", b"\\", b"~", b"~root", b"-", b"-rf", b"--", b"*",
    b"../" + MARK, b"../../" + MARK, b"/tmp/" + MARK, b"/" + MARK, b"..;/" + MARK, b"..%2f" + MARK, b"%2e%2e/" + MARK, b"..\\" + MARK,
    b"a/../../" + MARK, b"file:" + MARK, b"C:\\" + MARK, b"\\\\h\\" + MARK, MARK + b"\0.dcm", b"\0" + MARK, MARK + b"/", b"./" + MARK,
    b"|touch " + MARK, b";touch " + MARK, b"`id>" + MARK + b"`", b"$(id>" + MARK + b")", b"&&id>" + MARK, b"\ntouch " + MARK,
    b"'--" + MARK, b"';DROP T;--", b'"' + MARK + b'"', b"%s%s%n", b"%[env(X)]", b"${X}", b"{0}", b"{{7*7}}", b"<b>" + MARK, b"<script>",
    b"a\r\nb", b"a\nlevel=x", b"a\rb", b"\r\n\r\n", b"a\tb", b"\x1b[2J", b"\x1b[31m" + MARK, b"\x1b]0;x\x07", b"\x9b2J", b"\x07\x08\x7f",
    b"\xe2\x80\xae" + MARK, b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"\xc2\x85", b"\x85", b"\xa0", b"\xe2\x80\xa8", b"nul", b"CON",
    b"1.2.3/../..", b"1.2.3\0/../x", b"1.2." + b"3" * 61, b"1.2..3", b"1.2.03", b".1.2", b"1.2.", b"1.2.3\\1.2.4", b"1.2.3 ", b"-1.2",
)  # fmt: skip
"""Written for a purpose, each."""

_ENDS = (MARK, MARK + b"\0", MARK + b"\r\n", MARK + b"\x1b[A", MARK + b".dcm")
_FRONTS = (
    b"../",
    b"..\\",
    b"/etc/",
    b"/tmp/",
    b"./",
    b"..;/",
    b"%2e%2e/",
    b"\0",
    b"\n",
    b"\x1b[",
    b"~/",
    b"//",
    b"a/../",
    b"|",
    b"`",
    b"$(",
)


def names(count: int, longest: int | None = None) -> list[bytes]:
    """`count` different ones, none over `longest` bytes (AE titles: 16); longer ones, 65 characters to 64 KiB, where nothing is given."""
    long = (b"1." * 33, b"9" * 65, b"../" * 400, b"A" * 10_000, b"\0" * 4096, b"/" + MARK * 2000)
    made = (front * deep + end for deep in (1, 2, 3, 4, 5, 7, 9) for front, end in itertools.product(_FRONTS, _ENDS))
    found = dict.fromkeys((*FIXED, *(() if longest is not None else long)))
    for name in made:
        if len(found) >= count:
            break
        found[name if longest is None else name[-longest:]] = None
    return [name if longest is None else name[:longest] for name in found][:count]
