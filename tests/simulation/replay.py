"""`python -m tests.simulation.replay SEED`: one history again, what happened in it and what is wrong with it."""

import sys
from collections.abc import Iterable
from pathlib import Path

from tests.simulation.check import problems
from tests.simulation.history import play

REGRESSIONS = Path(__file__).parent / "regressions.txt"


def kept() -> list[int]:
    """Seeds that once found something."""
    lines = (line.partition("#")[0].strip() for line in REGRESSIONS.read_text().splitlines())
    return [int(line) for line in lines if line]


def wrong(seeds: Iterable[int]) -> list[str]:
    """What is wrong with the histories of these seeds, each with the command that plays it again."""
    found = []
    for seed in seeds:
        words = list(problems(play(seed)))
        if words:
            found.append(f"python -m tests.simulation.replay {seed}    # {'; '.join(words[:3])}")
    return found


def main(seed: int) -> int:
    history = play(seed)
    words = list(problems(history))
    for line in history.story:
        sys.stdout.write(f"{line}\n")
    for kind, count in sorted(history.seen.items()):
        sys.stdout.write(f"{count:6} {kind}\n")
    for word in words or ["nothing is wrong"]:
        sys.stdout.write(f"{word}\n")
    return bool(words)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
