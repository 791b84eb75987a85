"""All kinds of objects that are shipped, and what the packages around records add to their saving."""

from cloud.around.records import add_to
from cloud.masters.kinds import MASTERS
from cloud.objects.caller import Hooks
from cloud.objects.registry import Registry, Shipped
from cloud.objects.shipped import PLAIN
from cloud.receiving.kinds import SHIPPED as RECEIVING
from cloud.stock.kinds import SHIPPED as STOCK
from cloud.trade.kinds import SHIPPED as TRADE
from cloud.transfers.kinds import SHIPPED as TRANSFERS

SHIPPED: Shipped = MASTERS + STOCK + TRADE + RECEIVING + TRANSFERS + PLAIN


def registry() -> Registry:
    """Raises BadDefinition where a shipped definition is wrong."""
    return Registry(SHIPPED)


def hooks() -> Hooks:
    """What becomes of every saved record besides: it can be found, and those who follow it hear of it."""
    return add_to(Hooks())
