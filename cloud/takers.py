"""What is made of entries beside records: which kinds, and by whom."""

from cloud.blobs.refs import note_blob
from cloud.boxes.commands import record_result
from cloud.boxes.health import note_health
from cloud.boxes.received import JobTakers, Takers
from cloud.clocks.notes import note_anchor, note_boot
from cloud.trade.gate_job import GateTaker
from cloud.transfers.jobs import JOB_TAKERS as MOVES_AND_COUNTS
from sync_protocol.movements import GATE

TAKERS: Takers = {
    "run": (note_boot,),
    "anchor": (note_anchor,),
    "health": (note_health,),
    "command": (record_result,),
    "blob": (note_blob,),
}

JOB_TAKERS: JobTakers = {
    GATE: GateTaker(),
    **MOVES_AND_COUNTS,
}
"""By kind of job, beside receipts."""
