"""A half-given input after a restart: its command is known, and it goes when the journal has gone past it."""

from pathlib import Path

import pytest

from edge.errors import JobRefused
from edge.jobs import commands as c
from edge.jobs.awaiting import Awaits
from edge.kiosk.store import KioskStore
from sync_protocol.steps import FieldValue
from tests.unit.edge_jobs.station import ORDER, RICE, RICE_GTIN, Station

NOTE = FieldValue(value="DN-1", mode="manual", reason="typed")


async def test_command_that_made_a_draft_is_not_done_twice_after_a_restart(tmp_path: Path) -> None:
    store = await KioskStore.open(tmp_path / "kiosk.db")
    try:
        station = Station(drafts=store)
        await station.desk.start()
        begun = await station.desk.do(c.ChooseOrder(ORDER), by="dana", cmd="begin")
        again = station.new_desk()
        await again.start()
        assert (await again.do(c.ChooseOrder(ORDER), by="dana", cmd="begin")).id == begun.id
        with pytest.raises(JobRefused, match="not_now"):
            await again.do(c.ChooseOrder(ORDER), by="dana", cmd="another")
    finally:
        await store.close()


async def test_draft_that_the_journal_has_passed_never_comes_back(tmp_path: Path) -> None:
    store = await KioskStore.open(tmp_path / "kiosk.db")
    try:
        station = Station(drafts=store)
        await station.desk.start()
        for number, command in enumerate((c.ChooseOrder(ORDER), c.GiveDocument(NOTE), c.ScanItem(RICE, RICE_GTIN, "r:1"))):
            job = (await station.desk.do(command, by="dana", cmd=f"c{number}")).id
        # The power went after the line's step was durable and before its draft was let go.
        await store.save_draft(job, '{"product":"RICE","identity":{"value":"x","mode":"device","reading":"r:1"},"kind":"item"}')
        second = station.new_desk()
        await second.start()
        assert second.awaited() is Awaits.WEIGHT
        await second.do(c.DiscardLine("damaged"), by="dana", cmd="c7")
        third = station.new_desk()
        await third.start()
        assert third.awaited() is Awaits.ITEM
        assert third.job is not None
        assert third.job.draft is None
    finally:
        await store.close()
