"""When a live weight may be taken, and what to call its state: the words behind the screen's colour, shape and text."""

from decimal import Decimal
from enum import StrEnum

from drivers.api import Flag, Kind, Reading
from edge.devices.live import LinkState, LiveValue


class WeightState(StrEnum):
    """What the operator is told of the scale. Only STABLE may be taken."""

    STABLE = "stable"
    MOTION = "motion"
    OVERLOAD = "overload"
    UNDERLOAD = "underload"
    NO_DATA = "no_data"
    LOST = "lost"
    NO_ANSWER = "no_answer"
    CONNECTING = "connecting"
    OUT_OF_CALIBRATION = "out_of_calibration"
    NOT_ZEROED = "not_zeroed"
    NO_SCALE = "no_scale"


_LINKS = {
    LinkState.LOST: WeightState.LOST,
    LinkState.NO_ANSWER: WeightState.NO_ANSWER,
    LinkState.CONNECTING: WeightState.CONNECTING,
}
_FLAGS = {
    Flag.OVERLOAD: WeightState.OVERLOAD,
    Flag.UNDERLOAD: WeightState.UNDERLOAD,
    Flag.OUT_OF_CALIBRATION: WeightState.OUT_OF_CALIBRATION,
    Flag.NOT_ZEROED: WeightState.NOT_ZEROED,
    # What was weighed before, said again, is nothing that lies there now.
    Flag.TOTAL: WeightState.NO_DATA,
    Flag.REMOVED: WeightState.NO_DATA,
    Flag.UNAVAILABLE: WeightState.NO_DATA,
}


def weight_state(live: LiveValue | None, now_ns: int) -> WeightState:
    """The scale's state. A scale that cannot say whether it is stable is taken as in motion: nobody vouches for the value."""
    if live is None:
        return WeightState.NO_SCALE
    if live.link in _LINKS:
        return _LINKS[live.link]
    if live.reading is None or not live.fresh(now_ns):
        return WeightState.NO_DATA
    return _reading_state(live.reading)


def _reading_state(reading: Reading) -> WeightState:
    for flag, state in _FLAGS.items():
        if flag in reading.flags:
            return state
    if reading.kind is not Kind.MASS or not isinstance(reading.value, Decimal) or reading.unit is None:
        return WeightState.NO_DATA
    return WeightState.STABLE if reading.stable else WeightState.MOTION


def why_not(live: LiveValue | None, now_ns: int) -> str | None:
    """Why the weight cannot be taken now: a WeightState's code or `not_positive`; None when it can."""
    state = weight_state(live, now_ns)
    if state is not WeightState.STABLE:
        return state.value
    value = live.reading.value if live is not None and live.reading is not None else None
    return None if isinstance(value, Decimal) and value > 0 else "not_positive"
