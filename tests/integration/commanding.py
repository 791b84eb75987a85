"""`tallybox` as a process, run to its end or until stopped, as a person or a script would."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

LONGEST_S = 110
STOP_S = 30


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, all of which must be one JSON value."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Standard output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


def tallybox(*arguments: object, stdin: bytes = b"", **environment: str) -> Ended:
    """Run to the end. No trace of Python may reach a person, whatever goes wrong."""
    done = subprocess.run(
        [sys.executable, "-m", "tallybox", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env=os.environ | environment,
        timeout=LONGEST_S,
        check=False,
    )
    ended = Ended(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in ended.err, ended.err
    return ended


@contextmanager
def running(*arguments: object) -> Iterator[tuple["subprocess.Popen[bytes]", dict[str, Any]]]:
    """A command that serves: the process and the JSON line with which it says that it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tallybox", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    out: IO[bytes] = process.stdout
    try:
        yield process, json.loads(out.readline())
    finally:
        out.close()
        if process.poll() is None:
            process.kill()
        process.wait()


def stopped(process: "subprocess.Popen[bytes]", number: int = signal.SIGTERM) -> int:
    """Ask the process to end; its exit code."""
    process.send_signal(number)
    return process.wait(STOP_S)
