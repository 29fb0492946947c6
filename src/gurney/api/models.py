"""The one place for what the API takes in: the body of each request, strict, with nothing beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

YEAR = 366 * 24 * 3600.0

Text = Annotated[str, Field(max_length=1024 * 1024)]
Name = Annotated[str, Field(min_length=1, max_length=255)]
Why = Annotated[str | None, Field(max_length=1000)]
Seconds = Annotated[float | None, Field(gt=0, le=YEAR, allow_inf_nan=False)]


class Body(BaseModel):
    """Unknown keys are refused, types are not bent."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Nothing(Body):
    """`{}`."""


class DocumentBody(Body):
    """A document: its text, the name diagnostics call it by, and the absolute folder where the names of files in it begin."""

    text: Text
    file: Name = "gurney.yaml"
    folder: Annotated[str | None, Field(min_length=1, max_length=4096, pattern=r"^/[^\x00]*$")] = None

    @property
    def place(self) -> Path | None:
        """The folder as a path."""
        return Path(self.folder) if self.folder is not None else None


class ApplyBody(DocumentBody):
    """`confirm_seconds`: undone then unless confirmed."""

    why: Why = None
    confirm_seconds: Seconds = None


class UndoBody(Body):
    """Why it is undone."""

    why: Why = None


class OverrideBody(Body):
    """`object` is APP/POOL/MEMBER, globs allowed; `word` is `drain`, `disable` or `weight=N`."""

    object: Name
    word: Annotated[str, Field(min_length=1, max_length=16)]
    seconds: Seconds = None
    why: Why = None


class ExplainBody(Body):
    """The facts of a message, by name."""

    application: Name
    service: Name
    facts: Annotated[dict[Name, Annotated[str, Field(max_length=4096)]], Field(max_length=64)]
