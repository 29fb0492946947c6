"""The one place for the options and arguments that several verbs share, and for what they mean: the state folder, documents, durations."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gurney.errors import InputRefused

if TYPE_CHECKING:
    from gurney.api.client import Client

DOCUMENT_BYTES = 1024 * 1024
LONGEST_MS = 365 * 24 * 3600 * 1000  # of --for and --confirm

StateOption = Annotated[
    Path | None, typer.Option("--state", metavar="DIR", help="The state folder (default: $GURNEY_STATE, else by user).")
]
UnusedStateOption = Annotated[Path | None, typer.Option("--state", metavar="DIR", help="Taken by every verb; this one touches no state.")]
NodeOption = Annotated[str | None, typer.Option("--node", metavar="NAME", help="Which node of the document this is.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]
FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="The document; - is stdin.")]
WhyOption = Annotated[str | None, typer.Option("--why", metavar="TEXT", help="The reason, kept with the change.")]
ForOption = Annotated[str | None, typer.Option("--for", metavar="DURATION", help="Until when: 30m, 2h.")]
MemberArgument = Annotated[str, typer.Argument(metavar="APP/POOL/MEMBER", help="Each part may be a glob.")]


def state_folder(given: Path | None) -> Path:
    """The state folder of this call: `--state`, `$GURNEY_STATE`, for root /var/lib/gurney, else the XDG state folder; absolute."""
    if given is not None:
        return Path(os.path.abspath(given))
    from_environment = os.environ.get("GURNEY_STATE")
    if from_environment:
        return Path(os.path.abspath(from_environment))
    if os.geteuid() == 0:
        return Path("/var/lib/gurney")
    base = os.environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(base):
        return Path(base) / "gurney"
    try:
        return Path.home() / ".local" / "state" / "gurney"
    except RuntimeError as error:
        raise InputRefused("there is no home folder to keep the state in", hint="--state DIR") from error


def client(given: Path | None) -> Client:
    """The control process of the state folder."""
    from gurney.api.client import Client

    return Client(state_folder(given) / "control.sock")


def folder_of(file: str) -> Path:
    """Where the names of files in a document begin: its folder, absolute; for stdin the one we stand in."""
    return Path(os.path.abspath(".")) if file == "-" else Path(os.path.abspath(file)).parent


def document(file: str) -> tuple[str, str]:
    """The text of a document and the name diagnostics call it by. Raises `InputRefused`."""
    name = "<stdin>" if file == "-" else file
    try:
        if file == "-":
            content = sys.stdin.buffer.read(DOCUMENT_BYTES + 1)
        else:
            with open(file, "rb") as opened:
                content = opened.read(DOCUMENT_BYTES + 1)
    except OSError as error:
        raise InputRefused(f"{name} cannot be read: {error.strerror}") from error
    if len(content) > DOCUMENT_BYTES:
        raise InputRefused(f"{name} is larger than {DOCUMENT_BYTES // 1024} KiB")
    try:
        return content.decode("utf-8-sig"), name
    except UnicodeDecodeError as error:
        raise InputRefused(f"{name} is not UTF-8 (byte {error.start})") from error


def seconds(text: str | None, option: str) -> float | None:
    """A duration as a person writes it (`30m`), in seconds. Raises `InputRefused`."""
    if text is None:
        return None
    from gurney.config.faults import Unfit
    from gurney.config.text import duration_ms

    try:
        return duration_ms(text, 1000, LONGEST_MS) / 1000
    except Unfit as error:
        raise InputRefused(f"{option}: {error.message}", hint=error.hint) from error
