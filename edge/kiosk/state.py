"""The whole state of the station as plain data: what pages render and what `GET /api/state` answers."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from edge.disk.levels import Level
from edge.jobs.awaiting import Awaits
from edge.kiosk.deps import KioskDeps
from edge.kiosk.home import HomeView, home_json, home_view
from edge.kiosk.live import DeviceFact, LiveWeight, device_facts, live_weight
from edge.kiosk.receipt import JobView, job_json, receipt_view
from edge.kiosk.shots import Shot
from edge.kiosk.smaller import SmallerView, smaller_json, smaller_view
from edge.kiosk.status import SyncStatus
from edge.mirror.view import MasterView
from sync_protocol.masters import Notice, Order, Party, Person, Station

MAX_SENDERS: Final = 60
"""Parties that can be touched where nothing was ordered or announced: more is a list nobody reads."""


@dataclass(frozen=True, slots=True)
class StationState:
    """Everything a page needs, at one moment."""

    station: Station | None
    code: str
    operator: Person | None
    supervisors: list[Person]
    job: JobView | None
    orders: list[tuple[Order, Party | None]]
    notices: list[tuple[Notice, Party | None]]
    suppliers: list[Party]
    """Who may have sent goods that nobody ordered here."""
    live: LiveWeight
    devices: list[DeviceFact]
    sync: SyncStatus
    sync_age_s: int | None
    version: int
    full: bool
    """The medium is full: nothing new can be saved, and the screen says so in red."""
    home: HomeView | None = None
    """What is offered while nothing is in hand; not looked for where nobody is signed in."""
    smaller: SmallerView | None = None
    """The job in hand that is no receipt."""
    camera: bool = False
    """The station has a camera of its own."""
    camera_scans: bool = False
    """Codes can be scanned with it."""
    shot: Shot | None = None
    """The picture that the operator looks at."""


def station_state(deps: KioskDeps, operator: str | None) -> StationState:
    """The state now, for this operator."""
    masters, status, now = deps.masters(), deps.sync_status(), deps.clock.now_ns()
    job, held = deps.desk.job, deps.desk.in_hand
    return StationState(
        station=masters.station(),
        code=deps.settings.station,
        operator=masters.person(operator) if operator else None,
        supervisors=[person for person in masters.people() if person.role == "supervisor"],
        job=receipt_view(job, deps.desk.context()) if job is not None else None,
        orders=[(order, masters.party(order.supplier)) for order in masters.orders()],
        notices=[(notice, masters.party(notice.supplier)) for notice in masters.notices()],
        suppliers=_senders(masters),
        live=live_weight(deps.desk.live(), now),
        devices=device_facts(deps.hub, scale=deps.settings.scale, scanner=deps.settings.scanner),
        sync=status,
        sync_age_s=(now - status.since_ns) // 1_000_000_000 if status.since_ns is not None else None,
        version=deps.desk.news.version,
        full=deps.level() is Level.FULL,
        home=home_view(deps.desk, operator) if operator and held is None else None,
        smaller=smaller_view(held, deps.desk, operator or "") if held is not None else None,
        camera=deps.shots is not None,
        camera_scans=deps.shots is not None and deps.shots.scans,
        shot=deps.shots.of(held.job.id) if deps.shots is not None and held is not None else None,
    )


def _senders(masters: MasterView) -> list[Party]:
    found = (party for _, party in masters.table(Party) if party.supplier or party.owner)
    return sorted(found, key=lambda party: party.name)[:MAX_SENDERS]


def as_json(state: StationState) -> dict[str, Any]:
    """The state as `GET /api/state` answers it; amounts are plain decimals as text."""
    return {
        "station": {"code": state.code, "name": state.station.name if state.station else None},
        "operator": {"login": state.operator.login, "name": state.operator.name, "role": state.operator.role}
        if state.operator
        else None,
        "awaits": state.smaller.awaits if state.smaller else state.job.awaits if state.job else Awaits.ORDER,
        "job": job_json(state.job) if state.job else smaller_json(state.smaller) if state.smaller else None,
        "home": home_json(state.home) if state.home else None,
        "orders": [
            {
                "ref": order.ref,
                "supplier": order.supplier,
                "supplier_name": party.name if party else None,
                "lines": len(order.lines),
            }
            for order, party in state.orders
        ],
        "notices": [
            {
                "ref": notice.ref,
                "supplier": notice.supplier,
                "order": notice.order,
                "lines": len(notice.lines),
                "expected_at": notice.expected_at,
            }
            for notice, _ in state.notices
        ],
        "live": state.live.json(),
        "camera": state.camera,
        "shot": asdict(state.shot) if state.shot else None,
        "devices": [asdict(fact) for fact in state.devices],
        "sync": asdict(state.sync) | {"age_s": state.sync_age_s},
        "version": state.version,
        "full": state.full,
    }
