"""The one place for the codes of diagnostics: what each means. They are stable: a code is never given another meaning."""

from __future__ import annotations

from collections.abc import Mapping

STRUCTURE: Mapping[str, str] = {
    "GRN-S001": "The file is not YAML, or its syntax is wrong.",
    "GRN-S002": "A control, direction or line-separator character, or a lone surrogate.",
    "GRN-S003": "A text that is not in Unicode's composed form (NFC).",
    "GRN-S004": "An anchor, alias, tag or merge key; the document is plain data.",
    "GRN-S005": "More than one document in the file.",
    "GRN-S006": "Larger, longer, deeper or more than a document may be.",
    "GRN-S007": "A key without a value: there is no null.",
    "GRN-S008": "The same key twice in one mapping.",
    "GRN-S009": "A key that does not belong here.",
    "GRN-S010": "Something required is missing.",
    "GRN-S011": "A list where a mapping belongs, a mapping where a text belongs, and the like.",
    "GRN-S012": "A pool or site that is named but not defined.",
    "GRN-S013": "A word that is not among those the field takes.",
    "GRN-S014": "Not a whole number, or out of range.",
    "GRN-S015": "Not a duration, or out of range.",
    "GRN-S016": "Not a size, or out of range.",
    "GRN-S017": "Not an address, port or network, or one without what it needs.",
    "GRN-S018": "A name with characters or a length it may not have.",
    "GRN-S019": "Not an AE title.",
    "GRN-S020": "Not a UID, or no glob over UIDs.",
    "GRN-S021": "A key of `match` that is no fact and no tag.",
    "GRN-S022": "A value of `match` that can never be compared.",
    "GRN-S023": "Two rules of a service, or two members of a pool, with one name.",
    "GRN-S024": "An entry of `accept_from` that names no sender.",
    "GRN-S025": "An empty list or mapping that means nothing.",
    "GRN-S027": "A document version this program does not know.",
    "GRN-S028": "A row of `statuses` that is no status or may not be overridden.",
    "GRN-S030": "The same thing said in two places.",
    "GRN-S031": "More faults than are listed.",
    "GRN-S032": "A pool that services of two protocols lead to.",
    "GRN-S033": "Not an absolute path of a URL.",
    "GRN-S034": "Not the name of a header.",
    "GRN-S035": "Not a host.",
    "GRN-S036": "Not the name of a file beside the document.",
    "GRN-S037": "Not a status, or no range of statuses.",
    "GRN-S038": "Not a percentage.",
}
VERSION: Mapping[str, str] = {
    "GRN-V001": "In the contract, not in this version.",
}
FILES: Mapping[str, str] = {
    "GRN-F001": "A file the document names that is not there.",
    "GRN-F002": "A file that cannot be read, or lies outside the document's folder.",
    "GRN-F003": "A certificate's file without a certificate in PEM form.",
    "GRN-F004": "A certificate's file without a private key that can be used.",
    "GRN-F005": "A private key that does not belong to the certificate beside it.",
    "GRN-F006": "A certificate that has expired or is not valid yet.",
    "GRN-F007": "A CA's file without a certificate of a CA.",
    "GRN-F008": "A file that is too large.",
    "GRN-F009": "A revocation list's file without a list in PEM form.",
    "GRN-F010": "A service with a host that none of its certificates is for.",
}
LINT: Mapping[str, str] = {
    "GRN-L001": "A rule that is never reached, because one before it matches everything.",
    "GRN-L002": "The last rule has a match, so some requests would have no rule.",
    "GRN-L003": "Two rules match the same; the second is never reached.",
    "GRN-L004": "Two services listen on the same address and port.",
    "GRN-L005": "A pool no rule leads to.",
    "GRN-L006": "A member that is the listener of a service leading to it: traffic would go in circles.",
    "GRN-L007": "The same destination twice in one pool.",
    "GRN-L008": "`expect_contexts` with a check that negotiates none.",
    "GRN-L009": "A weight that has no effect under this balance.",
    "GRN-L010": "A limit that is above the one that holds it.",
    "GRN-L011": "A rule on a called AE title the service does not admit.",
    "GRN-L012": "A rule on a listener the service does not have.",
    "GRN-L013": "A rule on C-ECHO while C-ECHO is answered here.",
    "GRN-L014": "One node name at two sites.",
    "GRN-L015": "An entry of `accept_from` that is there twice.",
    "GRN-L016": "A name in `accept_from` that looks like a host name.",
    "GRN-L017": "More listeners than one application can have.",
}
CODES: Mapping[str, str] = {**STRUCTURE, **VERSION, **FILES, **LINT}
