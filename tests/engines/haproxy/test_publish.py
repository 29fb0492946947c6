"""Bundles on disk: whole or not at all, the last three kept, names that stay inside."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from gurney.engines.haproxy.publish import KEPT, Bundles, Made
from gurney.errors import EngineRefused


@pytest.fixture
def home(tmp_path: Path) -> Bundles:
    (tmp_path / "keys").mkdir()
    one = Bundles(tmp_path / "haproxy", tmp_path / "keys")
    one.prepare()
    return one


def made(text: str, **more: str) -> Made:
    content = text.encode()
    return Made(hashlib.sha256(content).hexdigest(), content, {"haproxy.cfg": text, **more}, {})


def bring(home: Bundles, one: Made) -> None:
    home.stage(one)
    home.publish(one.generation)
    home.confirm(one.generation)
    home.sweep()


def test_a_bundle_stands_whole_before_anybody_can_name_it(home: Bundles) -> None:
    one = made("a", **{"maps/x.map": "k v\n"})
    assert home.published() is None
    place = home.stage(one)
    assert home.published() is None and (place / "maps" / "x.map").read_text() == "k v\n"
    home.publish(one.generation)
    assert home.published() == b"a" and not home.settled()
    home.confirm(one.generation)
    assert home.settled() and home.good() == one.generation


def test_the_last_three_stay_and_the_confirmed_one_whatever_comes(home: Bundles) -> None:
    first = made("0")
    bring(home, first)
    others = [made(str(number)) for number in range(1, 6)]
    for one in others:
        home.stage(one)
        home.publish(one.generation)
        home.sweep()
    assert home.kept()[0] == others[-1].generation
    assert set(home.kept()) == {one.generation for one in others[-KEPT:]} | {first.generation}


def test_what_a_crash_left_half_made_goes(home: Bundles) -> None:
    (home.folder / f".{'0' * 64}" / "maps").mkdir(parents=True)
    (home.folder / ".current").symlink_to("nowhere")
    home.tidy()
    assert [name for name in os.listdir(home.folder) if name.startswith(".")] == []


def test_a_damaged_bundle_is_made_anew(home: Bundles) -> None:
    one = made("a")
    bring(home, one)
    (home.folder / one.generation / "haproxy.cfg").write_text("b")
    bring(home, one)
    assert (home.folder / "current" / "haproxy.cfg").read_text() == "a"


def test_files_are_nobody_elses(home: Bundles) -> None:
    digest = hashlib.sha256(b"secret").hexdigest()
    (home.certificates / f"{digest}.pem").write_bytes(b"secret")
    one = made("a")
    place = home.stage(Made(one.generation, one.content, one.files, {"certificates/c_1.pem": digest}))
    assert (place / "certificates" / "c_1.pem").read_bytes() == b"secret"
    assert {stat.S_IMODE(path.stat().st_mode) for path in place.rglob("*") if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (place, place / "certificates")} == {0o700}


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "maps/../../x", "", ".", "maps/.hidden", "a/./../b"])
def test_no_name_leaves_the_bundle(home: Bundles, name: str) -> None:
    with pytest.raises(EngineRefused, match="is no name of a file in a bundle"):
        home.stage(made("a", **{name: "x"}))
    assert [path.name for path in home.folder.parent.iterdir()] == ["keys", "haproxy"] or len(list(home.folder.parent.iterdir())) == 2


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "g" * 64, "a" * 63])
def test_no_digest_is_a_path(home: Bundles, digest: str) -> None:
    with pytest.raises(EngineRefused, match="is no digest"):
        home.material("certificates/c.pem", digest)


def test_a_link_in_the_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "haproxy").symlink_to("elsewhere")
    with pytest.raises(EngineRefused, match="is not ours"):
        Bundles(tmp_path / "haproxy", tmp_path).prepare()


def test_what_is_refused_is_kept_beside_the_words_and_not_for_ever(home: Bundles) -> None:
    for number in range(5):
        one = made(str(number))
        place = home.refuse(one, "no\n")
        assert (place / "diagnostics.txt").read_text() == "no\n" and (place / "haproxy.cfg").read_text() == str(number)
    assert len(list((home.folder / "refused").iterdir())) == 3
    assert home.kept() == ()
