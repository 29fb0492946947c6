"""The one place for coverage-guided fuzzing: a process of its own that atheris drives, for a time, from the seeds of a target.

    .venv/bin/python -m tests.wire.fuzz.covered TARGET SECONDS FOLDER

FOLDER gets the inputs that reached something new (`corpus`) and, if one was not borne, that input (`crash-…`). The parsers are instrumented
as they are imported, so nothing of the project is imported before.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

LARGEST = 6_000  # bytes of an input
SLOW = 0.250  # seconds of CPU (reliability.md H4)


class TooSlow(AssertionError):
    """An input took more CPU than a parser may."""


def main() -> int:
    """Fuzz one target; the exit status is libFuzzer's: 0, or not when an input was not borne."""
    import atheris

    target, seconds, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    with atheris.instrument_imports(include=["gurney.wire"]):
        import gurney.wire.dicom.head
        import gurney.wire.dicom.negotiate
        import gurney.wire.dicom.upper  # noqa: F401
    from tests.wire.fuzz.campaign import one
    from tests.wire.fuzz.targets import TARGETS

    seeds = {seed.data[:LARGEST]: seed.label for seed in TARGETS[target].seeds()}
    labels = sorted(set(seeds.values()))
    corpus = folder / "corpus"
    corpus.mkdir(parents=True)
    for number, (data, label) in enumerate(seeds.items()):
        (corpus / f"seed-{number}").write_bytes(bytes([labels.index(label)]) + data)

    def test_one_input(data: bytes) -> None:
        """The first byte chooses the label."""
        began = time.process_time()
        one(target, data[1:], labels[(data[0] if data else 0) % len(labels)] or "")
        if time.process_time() - began > SLOW:
            raise TooSlow(f"{time.process_time() - began:.3f} s")

    bounds = [f"-max_total_time={seconds}", f"-max_len={LARGEST + 1}", "-rss_limit_mb=1024", "-timeout=60", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *bounds, f"-artifact_prefix={folder}/", str(corpus)], test_one_input)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
