"""What makes records of the jobs of boxes that move and count, by job kind."""

from cloud.boxes.received import JobTakers
from cloud.transfers.counts import Counter
from cloud.transfers.moving import Mover
from sync_protocol.movements import COUNT, MOVE, PUT_AWAY

JOB_TAKERS: JobTakers = {MOVE: Mover(), PUT_AWAY: Mover(), COUNT: Counter()}
