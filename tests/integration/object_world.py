"""A small world of objects for tests: companies, visits to them with states and every dependency, people of three sites."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from cloud.kernel.access import Access, Grant, Mask
from cloud.kernel.actor import Actor, Taken
from cloud.objects.caller import Caller, Hooks, caller
from cloud.objects.registry import Registry, Shipped

COMPANY = """
key: company
label: {en: Company, he: חברה}
plural: {en: Companies, he: חברות}
title: "{name}"
number: "C-{n:04}"
site: site_code
fields:
  name: {type: text, required: true, unique: true, searchable: true}
  city: {type: text, indexed: true}
  credit: {type: money, min: 0}
  site_code: {type: text}
  parent: {type: ref, object: company}
"""

VISIT = """
key: visit
label: {en: Visit, he: ביקור}
plural: {en: Visits, he: ביקורים}
title: "{subject} – {company}"
number: "V-{year}-{n:04}"
states:
  planned: {phase: open, label: {en: Planned, he: מתוכנן}}
  held: {phase: active, label: {en: Held, he: התקיים}}
  closed: {phase: done, label: {en: Closed, he: נסגר}}
  dropped: cancelled
transitions:
  hold: {from: planned, to: held, when: "on is not None", message: {en: Say the day first., he: יש לציין יום.}}
  close: {from: held, to: closed, require: [outcome], roles: [supervisor]}
  drop: {from: [planned, held], to: dropped, reason: true}
fields:
  subject: {type: text, required: true}
  company: {type: ref, object: company, indexed: true}
  on: {type: date, indexed: true}
  source:
    type: choice
    default: "'web'"
    options: {web: {en: Web}, fair: {en: Fair}, manual: {en: Other, he: אחר}}
  source_detail: {type: text, visible_when: "source == 'manual'", required_when: "source == 'manual'"}
  score:
    type: int
    indexed: true
    validate: "1 <= score <= 10"
    message: {en: 1 to 10, he: מ־1 עד 10}
  lines:
    type: json
    of:
      what: {type: text, required: true}
      qty: {type: decimal, decimals: 3}
      price: {type: money}
  total: {type: money, compute: "sum(one.qty * one.price for one in lines)"}
  outcome:
    type: choice
    options: [order, no_order]
    options_when: "['no_order'] if total is None or total == 0 else ['order', 'no_order']"
  tags: {type: choices, options: [hot, cold, large]}
  guests: {type: refs, object: company}
  fee: {type: decimal, unit: kg, decimals: 3, readonly_when: "state != 'planned'"}
  at: {type: datetime}
  note: {type: long, searchable: true}
  secret: {type: text, indexed: true}
  done: {type: bool}
"""

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Jerusalem")


@dataclass
class World:
    registry: Registry
    hooks: Hooks = field(default_factory=Hooks)
    now: datetime = NOW

    async def caller(
        self, session: AsyncSession, *, access: Access | None = None, login: str = "root", reason: str | None = None
    ) -> Caller:
        taken = Taken(Actor.user(login, "admin"), self.now, reason, access=access or Access.all())
        return await caller(session, self.registry, taken, zone=ZONE, hooks=self.hooks)


def make_world(folder: Path, *more: str) -> World:
    files = []
    for number, text in enumerate((COMPANY, VISIT, *more)):
        path = folder / f"{number}.yaml"
        path.write_text(text, "utf-8")
        files.append(path)
    return World(Registry(Shipped(files=tuple(files))))


def access(*grants: tuple[Any, ...], role: str = "r", site: str | None = None) -> Access:
    """From (kind, action, scope, mask)."""
    return Access.of(
        Grant(role, one[0], one[1], *(one[2:3] or ("",)), Mask.parse(one[3] if len(one) > 3 else ""), site) for one in grants
    )
