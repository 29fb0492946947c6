"""The page about diagnostics: what each code of `gurney check` means and the way out. A test keeps it equal to the codes in the code."""

from __future__ import annotations

from tools.reference.table import code, page, table

# code -> (what is wrong, what to do)
CODES = {
    "GRN-S001": ("the text is not YAML", "mend it at the line named; the hint guesses at tabs, quotes and colons"),
    "GRN-S002": ("a control, direction or line-separator character", "type the value anew: one line of printable text"),
    "GRN-S003": ("a text that is not in Unicode's composed form (NFC)", "type the letters anew"),
    "GRN-S004": ("an anchor, alias, tag or merge key", "write the value out; quote a text that begins with `*`, `&` or `!`"),
    "GRN-S005": ("a second document in one file", "one file is one document"),
    "GRN-S006": ("too large, too deep, too long or too many", "see [limits](limits.md)"),
    "GRN-S007": ("an empty value: there is no null", "leave the key out, or quote the text if it is meant"),
    "GRN-S008": ("a key, fact or pair that stands twice", "keep one of them"),
    "GRN-S009": ("an unknown key", "the hint names the nearest key, or the mapping it belongs to; see [fields](fields.md)"),
    "GRN-S010": ("a key that is needed is missing", "add it"),
    "GRN-S011": ("another shape is expected: a text, a list, a mapping", "write the shape that is named"),
    "GRN-S012": ("a pool or site that is not defined", "define it, or use the name that the hint guesses"),
    "GRN-S013": ("a word that is not in its closed list", "one of the words named"),
    "GRN-S014": ("not an integer, or out of its range", "ASCII digits only, in the range named"),
    "GRN-S015": ("not a duration, or out of its range", "an integer and one of `ms s m h d y`"),
    "GRN-S016": ("not a size, or out of its range", "an integer and one of `B KiB MiB GiB TiB`"),
    "GRN-S017": ("not an address, listener or network", "the form that is named; IPv6 with a port in brackets and quotes"),
    "GRN-S018": ("not a name", "ASCII letters, digits, `-` and `_`, beginning with a letter or digit"),
    "GRN-S019": ("not an AE title", "1 to 16 printable ASCII characters, no backslash, no space around it"),
    "GRN-S020": ("not a UID, or a glob that fits none", "digits and dots, at most 64"),
    "GRN-S021": ("not a fact", "one of [the facts](facts.md), or `tag(GGGG,EEEE)`, `tag(GGGG,xxEE,CREATOR)`"),
    "GRN-S022": ("a match value that can fit nothing", "printable ASCII, `?` and `*` where other letters stand"),
    "GRN-S023": ("two rules or members with one name", "name one of them otherwise"),
    "GRN-S024": ("not an entry of `accept_from`", "`NAME@ADDRESS`, a name, an address or a network; host names are no sender addresses"),
    "GRN-S025": ("an empty list or mapping", "leave the key out, or fill it"),
    "GRN-V001": ("a key or value of the contract that this version does not do yet", "leave it out until a later version"),
}


def diagnostics() -> str:
    """Every code of `gurney check`."""
    return page(
        "Diagnostics",
        "`tools/reference/diagnostics.py`",
        "`gurney check FILE` prints every fault of the file at once, in file order, as `file:line:column: severity CODE: message` and a hint. "
        "An error refuses the document (exit status 2, nothing changed); a warning does not. Codes are stable: one is never used for something else.",
        table(("code", "what is wrong", "what to do"), [(code(name), wrong, mend) for name, (wrong, mend) in CODES.items()]),
    )
