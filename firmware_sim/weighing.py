"""What all simulated scales share: the operator's hands, silence while booting, and when they speak by themselves."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Protocol

from firmware_sim import actions
from firmware_sim.actions import Action
from firmware_sim.balance import Balance
from firmware_sim.errors import ActionRefused
from firmware_sim.specs import TerminalSpec


class Weighs(Protocol):
    """A device with a platform and keys."""

    @property
    def balance(self) -> Balance: ...

    def press(self, key: str, now_ns: int) -> bytes: ...

    def power_cycle(self, now_ns: int) -> None: ...


def act_on(device: Weighs, action: Action, now_ns: int) -> bytes:
    """What an operator does at a scale. Raises ActionRefused."""
    match action:
        case actions.Put():
            device.balance.put(action.grams, now_ns)
        case actions.Remove():
            device.balance.remove(now_ns, action.grams)
        case actions.Press():
            return device.press(action.key, now_ns)
        case actions.PowerCycle():
            device.power_cycle(now_ns)
        case _:
            raise ActionRefused(f"a balance cannot {action.action}")
    return b""


def state_of(balance: Balance, now_ns: int) -> dict[str, object]:
    """What the display shows, and what lies on the platform."""
    weight = balance.weigh(now_ns)
    return {
        "load_grams": f"{balance.load_grams:f}",
        "net": f"{weight.net:f}",
        "gross": f"{weight.gross:f}",
        "tare": f"{weight.tare:f}",
        "unit": balance.spec.unit,
        "stable": weight.stable,
        "range": weight.reach.value,
    }


class WeighingDevice(ABC):
    """A scale with a protocol of its own. Silent and deaf while it boots.

    A protocol gives `hear`, and where it has them `speak` with `next_ns`, `booted`, and `KEYS` with `key`.
    """

    KEYS: tuple[str, ...] = ("zero", "tare", "clear_tare")

    def __init__(self, balance: Balance, spec: TerminalSpec, options: Mapping[str, object]) -> None:
        self.balance = balance
        self.spec = spec
        self.options = options
        self._booted_ns: int | None = None

    # -- what a protocol gives ------------------------------------------------------------------------------------------

    @abstractmethod
    def hear(self, data: bytes, now_ns: int) -> bytes:
        """Bytes from the host, in any split; what is answered at once. What waits in the device has a cap."""

    def booted(self, now_ns: int) -> bytes:  # noqa: ARG002 - for those that speak
        """What it says when it is up again."""
        return b""

    def speak(self, now_ns: int) -> bytes:  # noqa: ARG002 - for those that speak
        """What it says by itself up to now: streams, answers that waited for rest."""
        return b""

    def next_ns(self, now_ns: int) -> int | None:  # noqa: ARG002 - for those that speak
        """When `speak` is wanted next."""
        return None

    def forget(self) -> None:  # noqa: B027 - most have nothing to forget
        """Switched off: whatever was under way is gone."""

    def key(self, key: str, now_ns: int) -> bytes:
        """One of KEYS was pressed."""
        match key:
            case "zero":
                self.balance.zero(now_ns)
            case "tare":
                self.balance.tare(now_ns)
            case _:
                self.balance.clear_tare()
        return b""

    # -- the wire and the operator --------------------------------------------------------------------------------------

    def receive(self, data: bytes, now_ns: int) -> bytes:
        if self._booted_ns is not None:
            if now_ns < self._booted_ns:
                return b""
            return self.tick(now_ns) + self.hear(data, now_ns)
        return self.hear(data, now_ns)

    def tick(self, now_ns: int) -> bytes:
        said = b""
        if self._booted_ns is not None:
            if now_ns < self._booted_ns:
                return b""
            self._booted_ns = None
            said = self.booted(now_ns)
        return said + self.speak(now_ns)

    def due_ns(self, now_ns: int) -> int | None:
        if self._booted_ns is not None:
            return self._booted_ns
        return self.next_ns(now_ns)

    def press(self, key: str, now_ns: int) -> bytes:
        """Press one of KEYS; raises ActionRefused for another. While it boots, nothing happens."""
        if key not in self.KEYS:
            raise ActionRefused(f"the scale has no key {key!r}, only {', '.join(self.KEYS)}")
        return b"" if self._booted_ns is not None else self.key(key, now_ns)

    def power_cycle(self, now_ns: int) -> None:
        """Off and on: silent until booted."""
        self.forget()
        self.balance.restart(now_ns)
        self._booted_ns = now_ns + self.spec.boot_ns

    def act(self, action: Action, now_ns: int) -> bytes:
        """Do what an operator does; raises ActionRefused."""
        return act_on(self, action, now_ns)

    def state(self, now_ns: int) -> dict[str, object]:
        return state_of(self.balance, now_ns)
