"""The one place for what the control process does: from a document to engines that serve it, and back.

Every method may be called from any thread; changes go one at a time. Errors are `GurneyError`s.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gurney.compile.target import Machine
from gurney.config.overrides import Override, matching
from gurney.config.overrides import word as checked
from gurney.control.carry import Carrier
from gurney.control.conditions import APPLY_FAILED, CONFIRM_PENDING, Condition, Conditions, when
from gurney.control.decide import UNKNOWN, Decision, Held, decide, held, mending, services_of
from gurney.control.draft import Draft, read, with_files
from gurney.control.journal import Journal
from gurney.control.outcome import Telling, outcome, placed
from gurney.control.sessions import open_sessions
from gurney.control.standing import of_document
from gurney.engines.engine import Engine, Observed
from gurney.errors import GurneyError, InputRefused, NotFound, NotRunning
from gurney.plan.steps import Key
from gurney.state.certificates import Certificates
from gurney.state.last_good import Good, LastGood
from gurney.state.overrides import Overrides
from gurney.state.revisions import Revision, Revisions


@dataclass(frozen=True, slots=True)
class Memory:
    """What the node remembers: the parts of `state.db` that control writes, and what the files of documents held."""

    revisions: Revisions
    overrides: Overrides
    last_good: LastGood
    certificates: Certificates


class Control:
    """The wanted state and the way to it.

    What it shows (`decision`, `revision`, `serving`, …) is replaced, never changed: whoever reads it needs no lock.

    `clock` gives seconds since the epoch. `node` is `--node` as given, `hostname` the name of this host, `machine` what an application's
    engines may have of it. `telling` is what the engines were given to say what takes long.
    """

    def __init__(
        self,
        *,
        memory: Memory,
        engines: Mapping[str, Engine],
        journal: Journal,
        clock: Callable[[], float],
        node: str | None = None,
        hostname: str = "",
        progress: Callable[[str], None] = lambda text: None,
        machine: Callable[[str], Machine] = lambda application: Machine(),
        telling: Telling | None = None,
    ) -> None:
        self.engines = engines
        self.journal = journal
        self.conditions = Conditions(journal.raised, journal.cleared)
        self.changing = threading.RLock()
        self.clock = clock
        self.hostname = hostname
        self.node: str | None = None
        self.revision: Revision | None = None
        self.decision: Decision | None = None
        self.overrides: dict[str, Override] = {}
        self.serving: dict[Key, bytes] = {}
        self.observed: dict[Key, Observed] = {}
        self._held: Held = {}  # what engines listen on where a change was cut short
        self._given_node = node
        self._memory = memory
        self._progress = progress
        self._machine = machine
        self._telling = telling or Telling()
        self._carrier = Carrier(engines, progress, journal)

    # -- starting ---------------------------------------------------------------------------------------------------------------

    def remember(self, processes: Mapping[Key, Sequence[str]]) -> None:
        """Learn what is wanted and what runs. `processes` are the engines the guard keeps, with the names of the listeners it holds for
        them; nothing is changed."""
        with self.changing:
            self.revision = self._memory.revisions.newest()
            self.overrides = {one.object: one for one in self._memory.overrides.all()}
            good = {(one.application, one.engine): one for one in self._memory.last_good.all()}
            self.serving = {key: self._content_of(key, good.get(key)) for key in processes}
            self._held = held(self.serving, processes)

    def _content_of(self, key: Key, good: Good | None) -> bytes:
        """What a running engine serves, found by the generation it names; empty when nobody can tell (it is then loaded again)."""
        application, name = key
        engine = self.engines[name]
        generation = engine.observe(application).generation
        candidates = [good.content] if good is not None else []
        published = engine.published(application)
        if published is not None:
            candidates.append(published)
        return next((content for content in candidates if engine.generation(content) == generation), UNKNOWN)

    def newest(self) -> Revision | None:
        """The newest revision that did not fail."""
        return self._memory.revisions.newest()

    def resume(self) -> dict[str, Any]:
        """Bring the engines to the newest revision, each application for itself. Raises `InputRefused` when there is none.

        One that no engine ever confirmed (its apply was cut short) is carried out as an apply is: whole, or the one before it stands.
        """
        with self.changing:
            while (revision := self.revision) is not None:
                decision = self._decide(self._draft_of(revision), self.overrides)
                if revision.served is not None:
                    self._take(decision, revision)
                    self.mend()
                    return self._outcome(decision, changed=False)
                try:
                    self._carry_new(decision, revision)
                    return self._outcome(decision, changed=True)
                except GurneyError as error:
                    self._progress(f"revision {revision.n} was never served and is refused: {error.message}")
                    self.revision = self.newest()
            raise InputRefused("there is no revision to go on with", hint="gurney up FILE")

    def mend(self) -> None:
        """Carry out what still differs from what is wanted; what refuses stays as it is, with a condition."""
        with self.changing:
            if self.decision is None:
                return
            wanted = self.decision.wanted
            order, self._held = mending(self.serving, self.decision, self._held), {}
            brought, refused = self._carrier.each(order, self.serving, wanted)
            for key in brought:
                self._served(key, wanted.get(key))
                self.conditions.clear(APPLY_FAILED, key[0], self.clock())
            for key, error in refused.items():
                self.conditions.raise_(Condition(APPLY_FAILED, error.message, key[0]), self.clock())

    def forget(self, key: Key) -> None:
        """This engine was seen to serve something else than it confirmed: what it serves is unknown until `mend`."""
        with self.changing:
            self.serving = {**self.serving, key: UNKNOWN}

    def keep(self) -> None:
        """Tell the guard again what is wanted to run; idempotent, after a new guard."""
        with self.changing:
            for (application, name), content in self.serving.items():
                if content != UNKNOWN:
                    self.engines[name].keep(application, content)

    # -- changes ----------------------------------------------------------------------------------------------------------------

    def plan(self, text: str, file: str, folder: Path | None = None) -> dict[str, Any]:
        """The steps an apply of this document would take; changes nothing. Raises `DocumentRefused`."""
        decision = self._decide(self._fresh(text, file, folder), self.overrides)
        return outcome(self.revision, decision, changed=bool(decision.steps))

    def apply(
        self, text: str, file: str, *, who: str, why: str | None = None, confirm: float | None = None, folder: Path | None = None
    ) -> dict[str, Any]:
        """Make this document the newest revision and what the engines serve; nothing at all when it already is.

        The same text is another revision when a file it names holds something else now; `folder` is where those names begin. `confirm`
        seconds: undone then unless confirmed. Raises `DocumentRefused`, `EngineRefused` (then everything is as before).
        """
        with self.changing:
            self._telling.taken()  # what was said before is no part of this
            draft = self._fresh(text, file, folder)
            decision = self._decide(draft, self.overrides)
            now = self.clock()
            until = now + confirm if confirm is not None else None
            self._store_files(draft)
            if self.revision is not None and self.is_of(draft, self.revision):
                self._reconsider(self.revision, until)
                if decision.steps:
                    self._carry(decision, self.revision)
                return self._outcome(decision, changed=bool(decision.steps))
            self._new(decision, who=who, why=why, pending_until=until, folder=folder)
            if until is None:
                self._settle()
            return self._outcome(decision, changed=True)

    def renew(self, draft: Draft, why: str) -> None:
        """The newest revision's text, with what its files hold now, as a new revision by Gurney itself. Raises `EngineRefused`."""
        with self.changing:
            revision = self.revision
            if revision is None or revision.text != draft.text:
                return
            self._store_files(draft)
            folder = Path(revision.folder) if revision.folder is not None else None
            decision = self._decide(draft, self.overrides)
            self._new(decision, who="gurney", why=why, pending_until=revision.pending_until, folder=folder)

    def undo(self, *, who: str, why: str | None = None) -> dict[str, Any]:
        """Back to the revision before, as a new revision. Raises `InputRefused` when there is none before."""
        with self.changing:
            if self.revision is None or self.revision.before is None:
                raise InputRefused("there is no revision before this one", hint="gurney apply FILE")
            return self._return_to(self._memory.revisions.get(self.revision.before), who=who, why=why)

    def confirm(self, *, who: str) -> dict[str, Any]:
        """The newest revision stays. Raises `InputRefused` when nothing waits for a confirmation."""
        with self.changing:
            if self.revision is None or self.revision.pending_until is None:
                raise InputRefused("nothing waits to be confirmed")
            self._settle()
            return {"revision": self.revision.n, "confirmed_by": who}

    def expire(self) -> None:
        """Undo what nobody confirmed in time and forget overrides whose time is over."""
        with self.changing:
            now = self.clock()
            revision = self.revision
            if revision is not None and revision.pending_until is not None and revision.pending_until <= now:
                self._undo_unconfirmed(revision)
            over = [name for name, one in self.overrides.items() if one.until is not None and one.until <= now]
            if over:
                self._progress(f"overrides are over: {', '.join(over)}")
                self._override({name: one for name, one in self.overrides.items() if name not in over}, anyway=True)

    def override(self, glob: str, word: str, *, who: str, why: str | None = None, seconds: float | None = None) -> dict[str, Any]:
        """Lay a word over every member the glob names. Raises `NotFound`, `InputRefused`, `EngineRefused`."""
        with self.changing:
            word = checked(word)
            names = matching(self._serving_decision().draft.document, glob)
            if not names:
                raise NotFound(f"no member is called '{glob}'", hint="APP/POOL/MEMBER, each part may be a glob; `gurney status` lists them")
            now = self.clock()
            until = now + seconds if seconds is not None else None
            self._override({**self.overrides, **{name: Override(name, word, until, why, who, now) for name in names}})
            return {"objects": list(names), "word": word, "until": when(until) if until is not None else None}

    def lift(self, glob: str) -> dict[str, Any]:
        """Take the overrides off every member the glob names, also off those the document no longer has."""
        with self.changing:
            names = set(matching(self._serving_decision().draft.document, glob)) | ({glob} & set(self.overrides))
            if not names:
                raise NotFound(f"no member is called '{glob}'", hint="APP/POOL/MEMBER, each part may be a glob; `gurney status` lists them")
            lifted = sorted(names & set(self.overrides))
            if lifted:
                self._override({name: one for name, one in self.overrides.items() if name not in lifted})
            return {"objects": sorted(names), "lifted": lifted}

    def explain(self, application: str, service: str, facts: Mapping[str, str]) -> Mapping[str, Any]:
        """Ask the running engine of the service's application. Raises `NotFound`, `InputRefused`, `NotRunning`."""
        decision = self._serving_decision()
        found = decision.document.applications.get(application)
        if found is None or service not in services_of(found):
            raise NotFound(f"there is no service '{application}/{service}'", hint="`gurney status` lists them")
        engine = decision.carrier(application, service)
        if engine is None or (application, engine) not in self.serving:
            raise NotRunning(f"nothing runs for service '{application}/{service}'")
        return self.engines[engine].explain(application, service, facts)

    def process(self, key: Key) -> str:
        """The name of the process of this engine of this application."""
        return self.engines[key[1]].process(key[0])

    def known_files(self) -> frozenset[str]:
        """The digests of all files that one of the kept revisions held."""
        return self._memory.revisions.needed()

    def revisions(self) -> list[dict[str, Any]]:
        """The newest revisions, newest first, without their texts."""
        return [revision.as_json() for revision in self._memory.revisions.recent()]

    # -- inside -----------------------------------------------------------------------------------------------------------------

    def _fresh(self, text: str, file: str, folder: Path | None) -> Draft:
        """A document with what its files hold now. A text that was just read is not read again."""
        known = self.decision.draft if self.decision is not None else None
        same = known is not None and (known.text, known.file) == (text, file)
        return with_files(known if same and known is not None else read(text, file), folder, self.clock())

    def _draft_of(self, revision: Revision) -> Draft:
        """The document of a revision with what its files held then."""
        decision = self.decision
        if decision is not None and self.revision is not None and self.revision.n == revision.n:
            return decision.draft
        held = {name: replace(one, content=self._memory.certificates.get(one.digest)) for name, one in revision.materials.items()}
        return replace(read(revision.text, revision.file), files=held)

    def is_newest(self, text: str, file: str, folder: Path | None) -> bool:
        """True if the newest revision is this text with what its files hold now. Raises `DocumentRefused`."""
        with self.changing:
            if self.revision is None or self.revision.text != text:
                return False
            draft = self._fresh(text, file, folder)
            self._store_files(draft)  # one that was lost here is back
            return self.is_of(draft, self.revision)

    def is_of(self, draft: Draft, revision: Revision) -> bool:
        """True if a revision is this document with these files."""
        if draft.text != revision.text:
            return False
        return {name: one.digest for name, one in draft.files.items()} == {name: one.digest for name, one in revision.materials.items()}

    def _store_files(self, draft: Draft) -> None:
        """What the files hold, durably, before a revision names it."""
        for material in draft.files.values():
            self._memory.certificates.put(material)

    def _new(self, decision: Decision, *, who: str, why: str | None, pending_until: float | None, folder: Path | None) -> None:
        """A new revision, carried out."""
        draft = decision.draft
        revision = self._memory.revisions.add(
            text=draft.text,
            file=draft.file,
            now=self.clock(),
            who=who,
            why=why,
            before=self.revision.n if self.revision is not None else None,
            pending_until=pending_until,
            materials=draft.files,
            folder=str(folder) if folder is not None else None,
        )
        self._carry_new(decision, revision)

    def _decide(self, draft: Draft, overrides: Mapping[str, Override]) -> Decision:
        sessions = {key: open_sessions(seen.status) for key, seen in self.observed.items()}
        return decide(
            draft,
            overrides.values(),
            self.serving,
            node=self._given_node,
            hostname=self.hostname,
            sessions=sessions,
            held=self._held,
            machine=self._machine,
            before=self.decision,
        )

    def _serving_decision(self) -> Decision:
        if self.decision is None:
            raise NotRunning("no document is applied yet")
        return self.decision

    def _carry_new(self, decision: Decision, revision: Revision) -> None:
        """A new revision that no engine takes is marked as failed: it is never resumed."""
        try:
            self._carry(decision, revision)
        except GurneyError as error:
            self._memory.revisions.fail(revision.n, error.message)
            raise
        self._memory.certificates.sweep(self._memory.revisions.needed())

    def _carry(self, decision: Decision, revision: Revision) -> None:
        begun = time.monotonic()
        self._held = {}
        try:
            self._carrier.all_or_nothing(decision.steps, self.serving, decision.wanted)
        except GurneyError as refused:
            error = placed(refused, decision)
            self.journal.refused(revision, error)
            self.conditions.raise_(Condition(APPLY_FAILED, error.message, f"revision {revision.n}"), self.clock())
            raise error from refused
        for key in {one.key for one in decision.steps}:
            self._served(key, decision.wanted.get(key))
        if revision.served is None:
            revision = self._memory.revisions.serve(revision.n, self.clock())
        self.conditions.clear(APPLY_FAILED, None, self.clock())
        self._take(decision, revision)
        self.journal.applied(revision, len(decision.steps), time.monotonic() - begun)

    def _served(self, key: Key, content: bytes | None) -> None:
        application, name = key
        if content is None:
            self.serving = {other: served for other, served in self.serving.items() if other != key}
            self._memory.last_good.drop(application, name)
            return
        self.serving = {**self.serving, key: content}
        good = Good(application, name, self.engines[name].generation(content), content)
        self._memory.last_good.put(good, self.clock())

    def _take(self, decision: Decision, revision: Revision) -> None:
        self.decision = decision
        self.revision = revision
        self.node = decision.node
        now = self.clock()
        self.conditions.hold("document", of_document(decision.document, self.overrides), now)
        pending = []
        if revision.pending_until is not None:
            reason = f"undone at {when(revision.pending_until)} unless confirmed: gurney confirm"
            pending = [Condition(CONFIRM_PENDING, reason, f"revision {revision.n}")]
        self.conditions.hold("pending", pending, now)

    def _reconsider(self, revision: Revision, until: float | None) -> None:
        """The newest document again: with --confirm it waits anew if it still waited, without it is confirmed."""
        if revision.pending_until is None:
            return
        if until is None:
            self._settle()
        else:
            self._memory.revisions.extend(revision.n, until)
            self._again(revision.n)

    def _settle(self) -> None:
        if self.revision is not None:
            self._memory.revisions.settle(self.revision.n)
            self._again(self.revision.n)

    def _again(self, n: int) -> None:
        if self.decision is not None:
            self._take(self.decision, self._memory.revisions.get(n))

    def _undo_unconfirmed(self, revision: Revision) -> None:
        """Nobody confirmed: back to the newest revision before it that waits for nobody."""
        target = revision
        while target.pending_until is not None and target.before is not None:
            target = self._memory.revisions.get(target.before)
        if target.pending_until is not None:
            self._settle()
            return
        self._progress(f"revision {revision.n} was not confirmed: back to revision {target.n}")
        try:
            self._return_to(target, who="gurney", why=f"revision {revision.n} was not confirmed")
        except GurneyError:
            self._memory.revisions.extend(revision.n, self.clock() + 60.0)  # the condition says it; try again in a minute
            self._again(revision.n)

    def _return_to(self, target: Revision, *, who: str, why: str | None) -> dict[str, Any]:
        decision = self._decide(self._draft_of(target), self.overrides)
        left = self.revision.n if self.revision is not None else 0
        reason = why or f"undo of revision {left}"
        revision = self._memory.revisions.add(
            text=target.text,
            file=target.file,
            now=self.clock(),
            who=who,
            why=reason,
            before=target.before,
            materials=target.materials,
            folder=target.folder,
        )
        self._carry_new(decision, revision)
        self._settle()
        self.journal.undone(revision, left)
        return self._outcome(decision, changed=True)

    def _override(self, overrides: dict[str, Override], *, anyway: bool = False) -> None:
        """Durable first: an override that a crash forgets would send traffic where a person said no.

        `anyway`: it is so whatever the engines say; what refuses is tried again. Otherwise it is forgotten again when one refuses.
        """
        before = self.overrides
        self._store_overrides(before, overrides)
        self.overrides = overrides
        if self.revision is None:
            return
        try:
            decision = self._decide(self._draft_of(self.revision), overrides)
            if anyway:
                self._take(decision, self.revision)
                self.mend()
            else:
                self._carry(decision, self.revision)
        except GurneyError:
            self._store_overrides(overrides, before)
            self.overrides = before
            raise
        self.journal.overridden(before.values(), overrides.values())

    def _store_overrides(self, before: Mapping[str, Override], after: Mapping[str, Override]) -> None:
        self._memory.overrides.drop(name for name in before if name not in after)
        self._memory.overrides.put(one for name, one in after.items() if before.get(name) != one)

    def _outcome(self, decision: Decision, *, changed: bool) -> dict[str, Any]:
        return outcome(self.revision, decision, changed=changed, said=self._telling.taken())
