"""Receipts as a kind of object: read everywhere, changed only by their own machine and by what boxes say."""

from pathlib import Path

from cloud.objects.registry import Shipped
from cloud.objects.typed import TypedKind
from cloud.receiving.machine import RECEIPT
from cloud.receiving.models import Receipt

KINDS = (TypedKind("receipt", Receipt, Path(__file__).parent / "definitions" / "receipt.yaml", machine=RECEIPT),)
SHIPPED = Shipped(typed=KINDS)
