"""While there is little room, what devices write by themselves is left out, and taken up again with the first difference."""

from decimal import Decimal

from drivers.api import Flag, Kind, Reading
from edge.devices.hub import DeviceHub
from edge.disk.gate import captures
from edge.disk.levels import Level
from edge.settings import DeviceSettings
from sync_protocol.entries import Encoded, Entry
from sync_protocol.ids import EntryId, RunId
from tests.unit.edge_jobs.station import TurnedClock

WIRE = {"kind": "tcp", "host": "127.0.0.1", "port": 1}


class Kept:
    """A journal that counts."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    async def append(self, entry: Entry | Encoded) -> EntryId:
        self.kinds.append(entry.t)
        return EntryId(RunId("0" * 32), len(self.kinds))


def value(text: str) -> Reading:
    return Reading(kind=Kind.MASS, value=Decimal(text), unit="kg", flags=frozenset({Flag.STABLE}), raw=b"S S 1 kg")


async def test_a_change_that_came_while_there_was_no_room_is_kept_afterwards() -> None:
    journal, level = Kept(), [Level.OK]
    changes = DeviceSettings(id="tank", driver="mt-sics", transport=WIRE, capture={"policy": "on_change", "deadband": "0.1"})
    asked = DeviceSettings(id="scale", driver="mt-sics", transport=WIRE, capture={"policy": "on_stable"})
    hub = DeviceHub([changes, asked], journal=journal, clock=TurnedClock(), captures=lambda policy: captures(level[0], policy))
    await hub._reading("tank", value("1.0"))
    level[0] = Level.SHED
    await hub._reading("tank", value("2.0"))
    assert len(journal.kinds) == 1
    await hub._reading("scale", value("5.0"))
    assert len(journal.kinds) == 2
    assert hub.live("tank").reading == value("2.0")
    level[0] = Level.OK
    await hub._reading("tank", value("2.0"))
    assert len(journal.kinds) == 3
