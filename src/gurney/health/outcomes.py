"""The one place for outcome words (`dicom.md` §7): what a check or an attempt of traffic found, and what each word does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effect:
    """What a word does: `good` counts towards rise, `fall` towards fall, `full` means alive but without room. `means` is for people."""

    means: str
    good: bool = False
    fall: bool = False
    full: bool = False


OUTCOMES: Mapping[str, Effect] = {
    "ok": Effect("the right answer in time", good=True),
    "slow": Effect("the right answer, later than half the timeout", good=True),
    "refused": Effect("the connection was refused or reset", fall=True),
    "connect-timeout": Effect("no connection in time", fall=True),
    "tls-failed": Effect("the TLS handshake failed", fall=True),
    "rejected-busy": Effect("the association was rejected for now (2/x/x)", full=True),
    "rejected-caller": Effect("the member does not know our calling AE title (1/1/3): register it there", fall=True),
    "rejected-called": Effect("the member does not know the called AE title (1/1/7)", fall=True),
    "rejected-other": Effect("the association was rejected for good", fall=True),
    "no-context": Effect("the association was accepted without any presentation context", fall=True),
    "contexts-lost": Effect("some pairs that must be accepted were not; only those are taken away", good=True),
    "aborted": Effect("the member aborted or closed the association", fall=True),
    "answer-timeout": Effect("connected, but no answer in time", fall=True),
    "bad-status": Effect("the answer was a failure or no answer to the question", fall=True),
}


def rejected(result: int, source: int, reason: int) -> str:
    """The word for an A-ASSOCIATE-RJ (PS3.8 Table 9-21): transient is busy, permanent by its reason."""
    if result == 2:
        return "rejected-busy"
    if source == 1 and reason == 3:
        return "rejected-caller"
    if source == 1 and reason == 7:
        return "rejected-called"
    return "rejected-other"
