"""What can happen to a container, and which of it changes its state. Codes follow the carriers' usual set."""

from collections.abc import Mapping

ACTIONS: Mapping[str, str] = {
    "announced": "announce",
    "gate_in": "gate_in",
    "stored": "store",
    "stripped": "strip",
    "stuffed": "stuff",
    "ready": "make_ready",
    "gate_out": "gate_out",
    "empty_returned": "return_empty",
}
"""Code of an event, which is also the state after it, to the action of the machine."""

CODE_OF: Mapping[str, str] = {action: code for code, action in ACTIONS.items()}

OTHERS = ("discharged", "loaded", "seal_changed", "inspected")
"""Events that leave the state as it is."""

CODES = (*ACTIONS, *OTHERS)
