"""The cloud is away, or dies at the worst moment: the box works on, and the record appears by itself and once."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from firmware_sim.demo import Load
from firmware_sim.relay import Relay
from sync_protocol.entries import StepEntry
from tests.integration.operating import WAIT_S, Act, receipt_acts, receive
from tests.integration.running import Running, Stored, command, running_thread

LOADS = (Load("CHK-CUB", "07290001234563", "CB-1", "2000"), Load("SLM-FIL", "07290001234570", "SF/1", "900"))

pytestmark = pytest.mark.timeout(240)


async def assert_received(thread: Running, document: str) -> None:
    """The receipt is there once, verifies, and the cloud holds exactly the journal."""
    await thread.all_sent()
    receipt = await thread.decided(document)
    assert receipt["state"] == "posted"
    assert [(line["sku"], line["lot"], line["quantity"]) for line in receipt["lines"]] == [
        ("CHK-CUB", "CB-1", "2.000"),
        ("SLM-FIL", "SF/1", "0.900"),
    ]
    assert thread.stored.cloud() == thread.stored.journal()
    steps = [step.n for step in thread.stored.entries(StepEntry) if step.job == receipt["uid"]]
    assert steps == list(range(len(steps)))
    code, output, errors = await command("verify", receipt["ref"], "--db", thread.data.database_url)
    assert (code, b"VERIFIED" in output) == (0, True), errors


async def test_receipt_made_while_the_cloud_was_away_appears_by_itself(tmp_path: Path) -> None:
    async with running_thread(tmp_path) as thread:
        await thread.all_sent()
        await thread.kill_cloud()
        known = thread.stored.cloud()
        await receive(thread.operator, "DN-AWAY", LOADS)
        state = await thread.operator.until("the lost link to be shown", lambda state: not state["sync"]["link_up"])
        assert state["sync"]["waiting"] > 0
        assert thread.stored.cloud() == known
        await thread.parts.start_cloud()
        await thread.operator.until("the link to be back", lambda state: state["sync"]["link_up"])
        await assert_received(thread, "DN-AWAY")


async def test_entries_whose_ack_was_lost_with_the_cloud_are_stored_once(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        relays: list[Relay] = []

        async def between(url: str, _: Stored) -> str:
            relays.append(await stack.enter_async_context(Relay.to(int(url.rpartition(":")[2]))))
            return f"https://127.0.0.1:{relays[0].port}"

        async with running_thread(tmp_path, between=between) as thread:
            acts = receipt_acts("DN-LOST", LOADS)
            # The very same batch again: nothing was written in the meantime.
            await die_between_commit_and_ack(thread, relays[0], next(acts))
            await thread.parts.start_cloud()
            await thread.all_sent()
            assert "batch_again" in [action for _, action, _ in thread.stored.events()]
            # A longer batch that begins with what the cloud has already.
            await die_between_commit_and_ack(thread, relays[0], next(acts))
            for act in acts:
                await act.prepare(thread.operator)
                await act.finish(thread.operator)
            await thread.parts.start_cloud()
            await assert_received(thread, "DN-LOST")


async def die_between_commit_and_ack(thread: Running, relay: Relay, act: Act) -> None:
    """Do the act, let the cloud commit what it made, lose the answer on its way and the cloud with it."""
    await thread.all_sent()
    known = thread.stored.cloud_count()
    relay.down.lost_some.clear()
    # Answers are lost from the commit on: handshakes and what is asked before it still come through.
    relay.down.loses = lambda: thread.stored.cloud_count() > known
    await act.prepare(thread.operator)
    await act.finish(thread.operator)
    async with asyncio.timeout(WAIT_S):
        await relay.down.lost_some.wait()
    await thread.kill_cloud()
    relay.down.loses = lambda: False
    unknown = thread.stored.cloud_count() - known
    assert unknown > 0
    assert (await thread.operator.state())["sync"]["waiting"] >= unknown
