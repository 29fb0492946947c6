"""What the pages show is true: documents pass, commands exist, links lead somewhere."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.docs.pages import TOP, Block, anchors, blocks, commands, fenced, links, pages

CONSOLE = [pytest.param(command, id=f"{block}: {command}") for block in blocks("console") for command in commands(block)]


def test_the_pages_hold_documents_and_commands() -> None:
    assert len(blocks("yaml")) >= 3
    assert len(CONSOLE) >= 10


@pytest.mark.parametrize("block", [pytest.param(block, id=str(block)) for block in blocks("yaml")])
def test_every_document_passes_the_check(block: Block) -> None:
    """A block that begins with `gurney:` is a whole document; others are no YAML blocks of ours."""
    from gurney.config import reader

    assert re.match(r"(#.*\n)*gurney: 1", block.text), "a YAML block is a whole document; show a part as ```text"
    reading = reader.read(block.text, str(block))
    assert [str(fault) for fault in reading.faults if fault.severity == "error"] == []
    assert reading.document is not None


def test_every_document_that_is_shipped_passes_the_check() -> None:
    from gurney.config import reader

    shipped = [path for folder in ("src", "blueprints", "packaging") for path in (TOP / folder).rglob("*.yaml")]
    documents = [path for path in shipped if path.read_text().lstrip().startswith("gurney:") or "\ngurney: 1" in path.read_text()]
    assert documents
    faults = [str(fault) for path in documents for fault in reader.read(path.read_text(encoding="utf-8"), str(path)).errors]
    assert faults == []


@pytest.mark.parametrize("command", CONSOLE)
def test_every_command_exists(command: str) -> None:
    words = [word for word in shlex.split(command) if not re.fullmatch(r"[A-Z_]+=.*", word)]
    if words[:1] == ["sudo"]:
        words = words[1:]
    if words[0] == "make":
        targets = re.findall(r"^([a-z]+):", (TOP / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert [word for word in words[1:] if "=" not in word and word not in targets] == []
    elif words[0].rpartition("/")[2] == "gurney":
        assert _verb(words[1:]) is not None


def _verb(words: list[str]) -> str | None:
    """The verb a command line names: one word, or two where a verb has verbs below it. Its options must be the verb's own."""
    from tools.reference.verbs import commands as verbs

    known = verbs()
    if words in (["--version"], ["--help"]):
        return words[0]
    name = next((name for name in (" ".join(words[:2]), words[0]) if name in known), None)
    if name is None:
        return None
    options = {spelling for item in known[name].params for spelling in (*item.opts, *item.secondary_opts)}
    return name if not [word for word in words if word.startswith("--") and word.partition("=")[0] not in options] else None


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page: str) -> None:
    def lost(target: str) -> bool:
        name, _, anchor = target.partition("#")
        path = (TOP / page).parent / name if name else TOP / page
        return not path.exists() or (anchor != "" and anchor not in anchors(path.read_text(encoding="utf-8")))

    assert [target for target in links(pages()[page]) if lost(target)] == []


def test_the_readers_of_pages_see_what_they_should() -> None:
    text = (
        "# A page\n\n[x](other.md#top)\n\n```console\n$ gurney status --json   # look\nout\n$ make test\n```\n\n```yaml\ngurney: 1\n```\n"
    )
    found = list(fenced("p.md", text))
    assert [(block.language, block.line) for block in found] == [("console", 5), ("yaml", 11)]
    assert commands(found[0]) == ["gurney status --json", "make test"]
    assert links(text) == ["other.md#top"]
    assert anchors("# A page: of `things`\n## And more\n") == {"a-page-of-things", "and-more"}
