"""Tables of trade."""

from cloud.trade.models.containers import Container, ContainerEvent
from cloud.trade.models.notices import Notice, NoticeLine
from cloud.trade.models.settings import BoxRange, CheckSetting, Packaging

__all__ = ["BoxRange", "CheckSetting", "Container", "ContainerEvent", "Notice", "NoticeLine", "Packaging"]
