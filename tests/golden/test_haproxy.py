"""Documents and the exact files HAProxy gets. GOLDEN=write writes them anew, to be read before they are committed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gurney.compile import haproxy
from gurney.compile.haproxy import bundle as bundles
from gurney.compile.haproxy import keywords
from tests.golden.proxied import APPLICATION, HAPROXY, NAMES, document, ground, texts
from tests.golden.real import checked


def written(folder: Path) -> dict[str, str]:
    """The files of a golden folder by their names in the bundle."""
    return {str(path.relative_to(folder)): path.read_text("ascii") for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("name", NAMES)
def test_a_document_compiles_to_its_golden_files(name: str) -> None:
    found = document(name)
    content = haproxy.TARGET.compile(found, APPLICATION, ground(name, found))
    assert content is not None
    made = bundles.load(content)
    assert bundles.dump(made) == content
    folder, files = HAPROXY / name, texts(made)
    if os.environ.get("GOLDEN") == "write":
        for old in sorted(folder.rglob("*"), reverse=True):
            old.unlink() if old.is_file() else old.rmdir()
        for at, text in files.items():
            (folder / at).parent.mkdir(parents=True, exist_ok=True)
            (folder / at).write_text(text, "ascii")
    assert written(folder) == files
    assert keywords.judge("haproxy.cfg", files["haproxy.cfg"]) == ()
    assert len(made.lines) == files["haproxy.cfg"].count("\n")


@pytest.mark.live
@pytest.mark.parametrize("name", NAMES)
def test_a_golden_file_passes_the_real_checker(name: str, tmp_path: Path) -> None:
    """Without an error and without a warning, keys and certificates as stand-ins."""
    assert checked(HAPROXY / name, tmp_path) == []
