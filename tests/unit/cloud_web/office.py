"""A small company with a day's receipts, written through a signed journal, ingested and projected by the core itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from cloud.db.engine import Sessions
from cloud.kernel.actor import Taken
from cloud.masters.demo import load_demo
from cloud.people.accounts import NewUser, create_user
from cloud.people.models import Role
from cloud.receiving.projection import project_all
from cloud.takers import TAKERS
from cloud.web.settings import StaffDeps, StaffSettings
from sync_protocol.entries import HealthEntry
from sync_protocol.steps import Abandon, Amount, Discard, Item, Open
from tests.integration.branching import lose_journal, overlap
from tests.integration.conftest import ADMIN, Story, TestBox, TurnedClock, device, typed

LIBRARIES = Path(__file__).resolve().parents[3] / "node_modules"
PASSWORD = "weigh-anchor-42"
HOSTILE = '<script>alert(1)</script>\u202e"><img src=x>'


@dataclass(frozen=True, slots=True)
class Refs:
    """The numbers that the receipts got, by what is special about each."""

    clean: str
    counted: str
    over: str
    cancelled: str
    hostile: str
    tampered: str
    forged: str
    running: str


async def furnish(sessions: Sessions, clock: TurnedClock) -> Refs:
    """Write the day and give the receipts' numbers."""
    async with sessions.write() as session:
        taken = Taken(ADMIN, clock.now)
        await load_demo(session, taken, pins={}, passwords={"noa": PASSWORD, "omar": PASSWORD})
        for login, name, role, locale in (
            ("tal", "Tal Cohen · טל כהן", Role.VIEWER, "en"),
            ("ron", "Ron Adler · רון אדלר", Role.SUPERVISOR, "en"),
            ("ada", "Ada Levi · עדה לוי", Role.ADMIN, "en"),
            ("adi", "Adi Shalev · עדי שלו", Role.ADMIN, "he"),
        ):
            await create_user(session, NewUser(login, name, role, password=PASSWORD, locale=locale), taken)
    box = TestBox(1, clock)
    await box.register(sessions)
    spare = TestBox(2, clock)
    await spare.register(sessions, station=None)
    box.anchor()
    box.device("scale-1", "mt-sics", "Mettler-Toledo ICS425 B327-9911")
    box.device("scanner-1", "serial-scanner", "Zebra DS2208")
    jobs = {}
    for name, job in write_day(box, clock):
        jobs[name] = job
        # Each receipt in a batch of its own: what is changed in one of them does not touch the others.
        await box.deliver(sessions)
        clock.go(minutes=7)
    box.write(
        HealthEntry(
            **box.stamp(),
            unacked=1240,
            oldest_unacked_s=5400,
            runs=3,
            disk_free=3_200_000_000,
            disk_total=31_000_000_000,
            disk_level="prune",
            journal_bytes=48_000_000,
            blobs_waiting=2,
            link="https",
        )
    )
    await box.deliver(sessions)
    twice = TestBox(3, clock)
    await twice.register(sessions, station=None)
    await overlap(sessions, twice)
    forgetful = TestBox(4, clock)
    await forgetful.register(sessions, station=None)
    await lose_journal(sessions, forgetful, 181)
    await project_all(sessions, takers=TAKERS)
    await _tamper(sessions, jobs)
    async with sessions.read() as session:
        rows = (await session.execute(text("SELECT uid, ref FROM receipt_number"))).all()
    numbers = {row[0]: row[1] for row in rows}
    return Refs(**{name: numbers[job] for name, job in jobs.items()})


def write_day(box: TestBox, clock: TurnedClock) -> Iterator[tuple[str, str]]:
    """All receipts of the day one by one: a name that says what is special, and the job."""
    story = Story(box)
    yield "clean", _fish(story, clock)
    job = story.open("PO-2026-0043", "SUP-033", "KP-5512/26")
    story.item("BOX-450", "07290001234617", lot=None, expiry=None)
    story.count("120")
    story.confirm()
    story.finish()
    yield "counted", job
    job = story.open("PO-2026-0041", "SUP-014", "DN-88213")
    story.chicken("100.500", lot="L-2611-B")
    story.item("SLM-FIL", "07290001234570", lot="S-2611/04", expiry="2026-12-02")
    box.step(story.job, Amount(line=story.line, quantity=typed("34.200", "kg", "scale_down")))
    story.confirm(kept="checked_again")
    story.finish()
    yield "over", job
    job = story.open("PO-2026-0042", "SUP-027", "CP-1")
    box.step(story.job, Abandon(reason="wrong_order"))
    yield "cancelled", job
    job = story.open("PO-2026-0042", "SUP-027", HOSTILE)
    story.item("ALM-WHL", "07290001234587", lot=HOSTILE)
    story.weigh("10.005")
    story.confirm()
    story.finish()
    yield "hostile", job
    job = story.open("PO-2026-0041", "SUP-014", "DN-88214")
    story.chicken("2.000", lot="L-2611-C")
    story.finish()
    yield "tampered", job
    job = story.open("PO-2026-0041", "SUP-014", "DN-88215")
    story.chicken("3.000", lot="L-2611-D")
    story.item("CHK-CUB", "07290001234563", lot="L-2611-E")
    box.step(story.job, Discard(line=2, reason="damaged"))
    story.finish(1)
    yield "forged", job
    job = story.open("PO-2026-0042", "SUP-027", "CP-7710")
    story.item("TAH-RAW", "07290001234594", lot="T-118/A")
    story.count("48")
    story.confirm()
    yield "running", job


def _fish(story: Story, clock: TurnedClock) -> str:
    box = story.box
    job = story.job = box.new_job()
    story.line = 0
    order = box.scan("PO-2026-0041")
    box.step(job, Open(order="PO-2026-0041", supplier="SUP-014", no_document_reason="comes_later", scan=order))
    story.chicken("12.340", lot="L-2611-A")
    story.line += 1
    scan = box.scan("0107290001234570", gtin="07290001234570")
    identity = device("0107290001234570", scan)
    lot = typed("S-2611/03", reason="unreadable")
    expiry = typed("2026-12-01", reason="unreadable")
    box.step(job, Item(line=2, product="SLM-FIL", product_rev=1, identity=identity, lot=lot, expiry=expiry))
    story.weigh("8.065")
    story.confirm()
    story.finish()
    clock.go(minutes=3)
    return job


async def _tamper(sessions: Sessions, jobs: dict[str, str]) -> None:
    """What somebody with the database's password could do: a heavier line, and a reading that was changed where it lies."""
    async with sessions.write() as session:
        line = "UPDATE receipt_line SET quantity = '20.000' WHERE receipt_id = (SELECT id FROM receipt WHERE uid = :uid)"
        await session.execute(text(line), {"uid": jobs["tampered"]})
        await session.execute(text("DROP TRIGGER entry_no_update"))
        changed = (
            "UPDATE entry SET content = CAST(replace(CAST(content AS TEXT), '3.000', '9.000') AS BLOB) WHERE (run, seq) IN "
            "(SELECT e.run, e.seq FROM evidence e JOIN receipt r ON r.id = e.receipt_id "
            "WHERE r.uid = :uid AND e.field = 'quantity')"
        )
        await session.execute(text(changed), {"uid": jobs["forged"]})
        for name in ("tampered", "forged"):
            # As if it had not been posted yet: what staff would see who are about to post it.
            await session.execute(
                text("UPDATE receipt SET state = 'check', needs_review = 1 WHERE uid = :uid"), {"uid": jobs[name]}
            )


def staff_deps(sessions: Sessions, clock: TurnedClock) -> StaffDeps:
    """The pages' surroundings in tests."""
    settings = StaffSettings(
        organisation="Galil Fine Foods", hosts=frozenset({"127.0.0.1", "localhost", "staff.test"}), live_ms=400
    )
    return StaffDeps(sessions, LIBRARIES, settings, clock)
