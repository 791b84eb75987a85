"""A barcode reader on a serial line: what it sends for a label, when it is triggered, and when it reads nothing."""

from collections import deque
from dataclasses import dataclass

from firmware_sim import actions
from firmware_sim.actions import Action
from firmware_sim.errors import ActionRefused
from firmware_sim.specs import ReaderSpec

TRIGGER_ON = b"\x16T\r"
TRIGGER_OFF = b"\x16U\r"
"""Serial trigger commands SYN T CR and SYN U CR (Honeywell Xenon 1900 user's guide, chapter 4, serial trigger commands)."""

MAX_LABELS = 1000
"""Labels that can lie ready for the trigger: more than a pallet carries."""


@dataclass(frozen=True, slots=True)
class Label:
    """A printed symbol: its content, and the identifier that a reader gives to its kind (`]C1`)."""

    content: str | bytes
    symbology_id: str | None = None


class SerialReader:
    """The reader as seen from its port. Without a trigger list it is a hand-held one: it sends what `scan` shows it."""

    def __init__(self, spec: ReaderSpec) -> None:
        self.spec = spec
        self.labels: deque[Label] = deque()
        self._tail = b""

    def scan(self, content: str | bytes, symbology_id: str | None = None) -> bytes:
        """The bytes for one label. Separators inside the content (GS) go out as they are."""
        return self._frame(Label(content, symbology_id))

    def lay_out(self, labels: list[Label]) -> None:
        """Put labels before the reader, to be read one per trigger."""
        if len(self.labels) + len(labels) > MAX_LABELS:
            raise ActionRefused(f"at most {MAX_LABELS} labels can lie ready")
        self.labels.extend(labels)

    def trigger(self) -> bytes:
        """Read the next label, or say that there is none."""
        if self.labels:
            return self._frame(self.labels.popleft())
        return self.miss()

    def miss(self) -> bytes:
        """What a trigger without a readable label sends."""
        if self.spec.no_read is None:
            return b""
        return self.spec.prefix + self.spec.no_read + self.spec.suffix

    def act(self, action: Action, now_ns: int) -> bytes:  # noqa: ARG002 - see receive
        """Do what an operator does; raises ActionRefused."""
        match action:
            case actions.Scan():
                return self.scan(action.text, action.symbology_id)
            case actions.LayOut():
                self.lay_out([Label(label.text, label.symbology_id) for label in action.labels])
            case actions.Trigger():
                return self.trigger()
            case actions.NoRead():
                return self.miss()
            case actions.PowerCycle():
                pass  # a reader keeps its programming and has nothing to say at start
            case _:
                raise ActionRefused(f"a barcode reader cannot {action.action}")
        return b""

    def state(self, now_ns: int) -> dict[str, object]:  # noqa: ARG002 - see receive
        return {"labels": len(self.labels)}

    def receive(self, data: bytes, now_ns: int) -> bytes:  # noqa: ARG002 - a reader answers without regard to time
        """Act on serial trigger commands; everything else from the host is ignored, as readers do."""
        seen = self._tail + data
        answer = b"".join(self.trigger() for _ in range(seen.count(TRIGGER_ON)))
        _, found, rest = seen.rpartition(TRIGGER_ON)
        self._tail = (rest if found else seen)[-(len(TRIGGER_ON) - 1) :]
        return answer

    def tick(self, now_ns: int) -> bytes:  # noqa: ARG002 - see receive
        return b""

    def due_ns(self, now_ns: int) -> int | None:  # noqa: ARG002 - see receive
        return None

    def _frame(self, label: Label) -> bytes:
        identifier = (label.symbology_id or "") if self.spec.aim_prefix else ""
        return self.spec.prefix + identifier.encode("ascii") + self._bytes(label.content) + self.spec.suffix

    def _bytes(self, content: str | bytes) -> bytes:
        if isinstance(content, bytes):
            return content
        try:
            return content.encode(self.spec.encoding)
        except UnicodeEncodeError as exc:
            raise ActionRefused(f"the label's text cannot be sent as {self.spec.encoding}") from exc
