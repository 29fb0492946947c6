"""The one place for what the tests of the documentation read: pages, their fenced blocks, the commands in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the page it stands in, its line, its language and its text."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@cache
def pages() -> dict[str, str]:
    """Path -> text of every Markdown page of the project."""
    found = [*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")]
    return {str(path.relative_to(TOP)): path.read_text(encoding="utf-8") for path in sorted(found)}


def blocks(language: str) -> list[Block]:
    """Every fenced block of a language in all pages."""
    return [block for page, text in pages().items() for block in fenced(page, text) if block.language == language]


def fenced(page: str, text: str) -> Iterator[Block]:
    """The fenced blocks of one page."""
    for match in FENCE.finditer(text):
        yield Block(page, text.count("\n", 0, match.start()) + 1, match[1], match[2])


def commands(block: Block) -> list[str]:
    """What a person types in a console block: the lines after `$ ` or `# `, comments cut off."""
    return [re.sub(r"\s+#\s.*$", "", line[2:]).strip() for line in block.text.splitlines() if line.startswith("$ ")]


def links(text: str) -> list[str]:
    """The targets of Markdown links, those with a scheme left out."""
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]


def anchors(text: str) -> set[str]:
    """The anchors that a page's headings make."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}
