"""The state tables of docs/SYNC.md are what the state machines do: each is made by carrying its rows out."""

import pytest

from sync_protocol.answers import Ack
from sync_protocol.outbox import Outbox, RunState, Send, on_answer
from tests.arch import sync_tables
from tests.arch.pages import page
from tests.arch.sync_tables import HASHES, OTHER, RUN

SYNC = page("docs/SYNC.md")


@pytest.mark.parametrize("name", sorted(sync_tables.TABLES))
def test_the_page_shows_the_table_that_the_code_makes(name: str) -> None:
    begin, end = sync_tables.marks(name)
    shown = SYNC.partition(begin)[2].partition(end)[0]
    assert shown == sync_tables.drawn(name), "run `python -m tests.arch.sync_tables`"


def test_a_restored_cloud_is_asked_about_every_other_run() -> None:
    answer = Ack(run=RUN, acked=15, hash=HASHES[14].hex(), gen=2, srv_time="")
    after, _ = on_answer(
        Outbox((RunState(RUN, 20, 10), RunState(OTHER, 5, 5)), gen=1), Send(RUN, 10), answer, lambda *_: HASHES[14]
    )
    assert [(state.acked, after.gen) for state in after.runs] == [(15, 2), (4, 2)]
