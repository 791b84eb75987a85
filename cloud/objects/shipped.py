"""The objects that need no code at all."""

from pathlib import Path

from cloud.objects.registry import Shipped

FOLDER = Path(__file__).parent / "definitions"

PLAIN = Shipped(files=(FOLDER / "lead.yaml", FOLDER / "deal.yaml"))
"""Lead and deal. They lead to parties and products, which cloud.masters brings."""
