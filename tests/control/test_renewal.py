"""Files after they were taken up: part of a revision, renewed on disk, gone back from, ended."""

from __future__ import annotations

import pytest

from gurney.config.proxied import Material
from gurney.errors import DocumentRefused, EngineRefused
from tests.control.made import NOW, Made, made
from tests.control.world import World, document, web

DAY = 24 * 3600.0
TEXT = document(further=web(tls="certificate: portal.pem"))


@pytest.fixture
def node(world: World) -> World:
    world.now = NOW.timestamp()
    return world


def write(world: World, one: Made) -> None:
    fresh = world.path / "portal.new"
    fresh.write_bytes(one.pem + one.key_pem)
    fresh.rename(world.path / "portal.pem")


def served(world: World) -> str:
    [digest] = {one.digest for one in world.control.decision.draft.files.values()}  # type: ignore[union-attr]
    assert world.control.revision is not None and digest == world.control.revision.materials["portal.pem"].digest
    assert digest in world.machine.running["web"].content.decode()
    return digest


def kept(world: World) -> set[str]:
    return {path.stem for path in world.folder.certificates.iterdir()}


def watch(world: World) -> None:
    for _ in range(3):
        world.watch.tick()


def conditions(world: World) -> dict[str, tuple[str, str]]:
    return {one["code"]: (one["object"], one["reason"]) for one in world.watch.status()["conditions"]}


def test_a_document_without_its_files_changes_nothing(node: World) -> None:
    with pytest.raises(DocumentRefused) as caught:
        node.apply(TEXT)
    assert [fault["code"] for fault in caught.value.faults] == ["GRN-F001"]
    assert node.control.revisions() == [] and not node.folder.certificates.exists()


def test_the_same_text_with_another_certificate_is_another_revision_swapped_at_run_time(node: World) -> None:
    write(node, made("portal.example"))
    node.apply(TEXT)
    first = served(node)
    write(node, made("portal.example"))
    outcome = node.apply(TEXT)
    assert (outcome["revision"], outcome["changed"]) == (2, True)
    assert "take up anew what the files it names hold while HAProxy runs" in outcome["steps"][0]["text"]  # type: ignore[index]
    assert (node.machine.running["web"].changes, node.machine.running["web"].reloads) == (1, 0)
    assert served(node) != first and kept(node) == {first, served(node)}
    assert node.apply(TEXT)["changed"] is False


def test_undo_brings_a_certificate_back_without_its_file(node: World) -> None:
    write(node, made("portal.example"))
    node.apply(TEXT)
    first = served(node)
    write(node, made("portal.example"))
    node.apply(TEXT)
    (node.path / "portal.pem").unlink()
    node.control.undo(who="me")
    assert served(node) == first
    node.again()
    node.control.resume()
    assert served(node) == first and node.watch.waiting() == []


def test_overrides_need_no_file(node: World) -> None:
    write(node, made("portal.example"))
    node.apply(TEXT)
    (node.path / "portal.pem").unlink()
    node.control.override("web/portal/web-1", "drain", who="me")
    served(node)


def test_a_renewed_file_is_taken_up_by_itself_and_said_who_and_why(node: World) -> None:
    write(node, made("portal.example"))
    node.apply(TEXT)
    first = served(node)
    watch(node)
    assert len(node.control.revisions()) == 1
    write(node, made("portal.example"))
    watch(node)
    assert served(node) != first
    newest = node.control.revisions()[0]
    assert (newest["revision"], newest["who"], newest["why"]) == (2, "gurney", "portal.pem changed on disk")
    watch(node)
    assert len(node.control.revisions()) == 2 and "CertificateChanged" not in conditions(node)


def test_one_renewed_while_control_was_away_is_taken_up_too(node: World) -> None:
    write(node, made("portal.example"))
    node.apply(TEXT)
    first = served(node)
    write(node, made("portal.example"))
    node.again()
    node.control.resume()
    assert served(node) == first
    watch(node)
    assert served(node) != first


def test_one_that_was_gone_back_from_is_not_taken_up_again(node: World) -> None:
    write(node, made("portal.example"))
    node.apply(TEXT)
    first = served(node)
    write(node, made("portal.example"))
    watch(node)
    node.control.undo(who="me")
    watch(node)
    assert served(node) == first
    assert conditions(node)["CertificateChanged"][0] == "portal.pem"
    node.apply(TEXT)
    watch(node)
    assert served(node) != first and "CertificateChanged" not in conditions(node)


def test_a_bad_file_is_a_condition_until_it_is_good(node: World) -> None:
    good = made("portal.example")
    write(node, good)
    node.apply(TEXT)
    first = served(node)
    (node.path / "portal.pem").write_bytes(good.pem)
    watch(node)
    assert served(node) == first and "holds no private key" in conditions(node)["CertificateChanged"][1]
    (node.path / "portal.pem").unlink()
    watch(node)
    assert "is not there" in conditions(node)["CertificateChanged"][1]
    write(node, good)
    watch(node)
    assert served(node) == first and "CertificateChanged" not in conditions(node)


def test_one_that_no_engine_takes_leaves_the_old_one(node: World) -> None:
    write(node, made("portal.example"))
    node.apply(TEXT)
    first = served(node)
    node.machine.refuse = {"web": ("unable to load certificate", "applications.web.services.portal.tls.certificate")}
    write(node, made("portal.example"))
    watch(node)
    assert served(node) == first and "unable to load certificate" in conditions(node)["CertificateChanged"][1]
    with pytest.raises(EngineRefused):
        node.apply(TEXT)


def test_a_renewal_of_an_unconfirmed_revision_waits_as_it_did(node: World) -> None:
    node.apply(document())
    write(node, made("portal.example"))
    node.apply(TEXT, confirm=600.0)
    write(node, made("portal.example"))
    watch(node)
    assert node.control.revision is not None and node.control.revision.n == 3 and node.control.revision.pending_until is not None
    node.now += 601
    node.watch.tick()
    assert node.control.revision.text == document() and node.machine.running == {}


def test_what_ends_is_said_a_month_before_and_after(node: World) -> None:
    write(node, made("portal.example", days=31))
    node.apply(TEXT)
    node.watch.tick()
    assert not {"CertificateExpires", "CertificateExpired"} & set(conditions(node))
    node.now += 2 * DAY
    node.watch.tick()
    assert conditions(node)["CertificateExpires"] == ("portal.pem", "the certificate ends 2026-02-01T00:00:00Z")
    node.now += 30 * DAY
    node.watch.tick()
    assert "CertificateExpired" in conditions(node) and "CertificateExpires" not in conditions(node)


def test_what_no_revision_needs_any_more_is_swept(node: World) -> None:
    write(node, made("portal.example"))
    node.apply(TEXT)
    first = served(node)
    stray = Material("page", "", (), None, b"x")
    (node.folder.certificates / f"{'a' * 64}.pem").write_bytes(stray.content)
    (node.folder.certificates / ".half.new").write_bytes(b"")
    node.apply(document())
    assert kept(node) == {first}


def test_a_lost_or_damaged_one_is_said_and_put_back_by_its_document(node: World) -> None:
    write(node, made("portal.example"))
    node.apply(TEXT)
    digest = served(node)
    path = node.folder.certificates / f"{digest}.pem"
    path.write_bytes(b"damaged")
    node.again()
    assert node.control.is_newest(TEXT, "gurney.yaml", node.path)
    node.control.resume()
    assert served(node) == digest
