"""What is made of entries beside records: which kinds, and by whom."""

from cloud.boxes.health import note_health
from cloud.boxes.received import Takers

TAKERS: Takers = {"health": (note_health,)}
