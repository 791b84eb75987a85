"""The kinds of trade with their tables, definitions, machines and rules."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from cloud.kernel.actor import Taken
from cloud.objects.registry import Shipped
from cloud.objects.typed import BeforeSave, TypedKind
from cloud.trade import container_events, models, rules
from cloud.trade.container_events import CONTAINER_EVENT
from cloud.trade.container_machine import CONTAINER
from cloud.trade.notices import NOTICE

FOLDER = Path(__file__).parent / "definitions"


def _asked(rule: BeforeSave) -> BeforeSave:
    """A rule that looks around before the row is written: its questions must not write it, or a constraint answers first."""

    async def ask(session: AsyncSession, row: Any, changes: Mapping[str, Any], taken: Taken) -> None:
        with session.no_autoflush:
            await rule(session, row, changes, taken)

    return ask


KINDS = (
    TypedKind("notice", models.Notice, FOLDER / "notice.yaml", machine=NOTICE, before_save=_asked(rules.before_notice)),
    TypedKind("notice_line", models.NoticeLine, FOLDER / "notice_line.yaml", before_save=_asked(rules.before_notice_line)),
    TypedKind("packaging", models.Packaging, FOLDER / "packaging.yaml"),
    TypedKind(
        "check_setting", models.CheckSetting, FOLDER / "check_setting.yaml", before_save=_asked(rules.before_check_setting)
    ),
    TypedKind(
        "container",
        models.Container,
        FOLDER / "container.yaml",
        machine=CONTAINER,
        before_save=_asked(container_events.before_container),
    ),
    TypedKind(
        "container_event",
        models.ContainerEvent,
        FOLDER / "container_event.yaml",
        machine=CONTAINER_EVENT,
        before_save=_asked(container_events.before_event),
        after_save=container_events.after_event,
    ),
)

SHIPPED = Shipped(typed=KINDS)
