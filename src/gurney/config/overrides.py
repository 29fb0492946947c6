"""The one place for overrides as values: what a temporary word over a member is, and how overrides are laid over a document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from gurney.config import limits, words
from gurney.config.document import Application, Document, Member
from gurney.config.faults import shown
from gurney.config.glob import fits
from gurney.config.proxied import ProxyMember
from gurney.errors import InputRefused

M = TypeVar("M", Member, ProxyMember)


@dataclass(frozen=True, slots=True)
class Override:
    """A word over one member by a person or a decision: wanted state, kept across applies.

    `object` is APP/POOL/MEMBER, `word` is drain, disable or weight=N, `until` and `since` are seconds since the epoch (None: until it is
    taken back).
    """

    object: str
    word: str
    until: float | None
    why: str | None
    by: str
    since: float


def weight_of(word: str) -> int | None:
    """N of weight=N, or None for another word."""
    name, sign, digits = word.partition("=")
    if name != "weight" or not sign or not (digits.isascii() and digits.isdigit() and len(digits) <= 3):
        return None
    return int(digits) if 1 <= int(digits) <= limits.WEIGHT_HIGHEST else None


def word(text: str) -> str:
    """`text` as an override's word; raises `InputRefused` for anything but drain, disable and weight=N."""
    number = weight_of(text)
    if number is not None:
        return f"weight={number}"
    if text not in words.OVERRIDES or text == "weight":
        raise InputRefused(f"{shown(text)} is no override", hint=f"drain, disable or weight=N, N from 1 to {limits.WEIGHT_HIGHEST}")
    return text


def objects(document: Document) -> tuple[str, ...]:
    """Every member as APP/POOL/MEMBER: of the route process's pools, then of HAProxy's, each in the order of the document."""
    return tuple(
        f"{application.name}/{pool}/{member}"
        for application in document.applications.values()
        for pool, members in _members(application)
        for member in members
    )


def _members(application: Application) -> Iterator[tuple[str, Iterable[str]]]:
    """The names of every pool and of its members."""
    for pool in application.pools.values():
        yield pool.name, pool.members
    for proxied in application.proxied_pools.values():
        yield proxied.name, proxied.members


def matching(document: Document, glob: str) -> tuple[str, ...]:
    """The members that fit APP/POOL/MEMBER, each part a glob of its own (`pacs/*/*`); raises `InputRefused` for another form."""
    parts = glob.split("/")
    if len(parts) != 3 or not all(parts):
        raise InputRefused(f"{shown(glob)} names no member", hint="APP/POOL/MEMBER; each part may be a glob: pacs/archive/*")
    return tuple(name for name in objects(document) if all(map(fits, parts, name.split("/"))))


def lay(document: Document, overrides: Iterable[Override]) -> Document:
    """The document with `override` of each member set (and the weight of weight=N); the last word for an object counts.

    Overrides for members that the document does not have change nothing; the caller drops those whose time is over.
    """
    said = {override.object: override.word for override in overrides}
    if not said:
        return document

    applications = {
        app.name: replace(
            app,
            pools={pool.name: replace(pool, members=_laid(said, f"{app.name}/{pool.name}", pool.members)) for pool in app.pools.values()},
            proxied_pools={
                pool.name: replace(pool, members=_laid(said, f"{app.name}/{pool.name}", pool.members))
                for pool in app.proxied_pools.values()
            },
        )
        for app in document.applications.values()
    }
    return replace(document, applications=applications)


def _laid(said: Mapping[str, str], pool: str, members: Mapping[str, M]) -> dict[str, M]:
    """The members of APP/POOL with what is said about them."""

    def member(one: M, over: str | None) -> M:
        return one if over is None else replace(one, override=over, weight=weight_of(over) or one.weight)

    return {name: member(one, said.get(f"{pool}/{name}")) for name, one in members.items()}
