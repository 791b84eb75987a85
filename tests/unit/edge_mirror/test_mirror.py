"""The mirror: whole states only, kept over restarts, kills and damaged files, pulled anew when in doubt."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from edge.errors import MirrorFault
from edge.mirror.pull import MAX_PAGES, Mirror
from edge.mirror.store import MirrorStore
from edge.uplink.backoff import Backoff
from edge.uplink.binding import CloudAway
from sync_protocol.mirror import Clear, Del, Row


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mirror.db"


def skus(mirror: Mirror) -> list[str]:
    return sorted(key for table, key in mirror.view.rows if table == "product")


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def read(path: Path) -> bytes:
    return path.read_bytes()


def names_in(folder: Path) -> list[str]:
    return sorted(found.name for found in folder.iterdir())


async def on_disk(path: Path) -> tuple[str, list[str]]:
    async with MirrorStore.open(path) as store:
        cookie, rows = await store.load()
    return cookie, sorted(key for _, key in rows)


async def test_patches_put_delete_and_clear(path: Path, pages: Any, make_row: Any, make_patch: Any) -> None:
    a, b, c, b2 = make_row("a"), make_row("b"), make_row("c"), make_row("b", 2, name="Bee")
    pages.answers = {
        "": make_patch("", "1", [a, b], [a, b]),
        "1": make_patch("1", "2", [Del(t="product", k="a"), b2, c], [b2, c]),
        "2": make_patch("2", "2", [], [b2, c]),
    }
    async with MirrorStore.open(path) as store:
        mirror = await Mirror.load(store)
        assert (skus(mirror), mirror.view.product("a")) == ([], None)
        assert await mirror.pull(pages, "dock")
        assert await mirror.pull(pages, "dock")
        assert not await mirror.pull(pages, "dock")
        assert (skus(mirror), mirror.view.product("b").name, mirror.view.rev("product", "b")) == (["b", "c"], "Bee", 2)
        pages.answers["2"] = make_patch("", "9", [Clear(), a], [a])
        assert await mirror.pull(pages, "dock")
    assert await on_disk(path) == ("9", ["a"])


async def test_a_restart_goes_on_where_it_was_with_no_cloud(path: Path, pages: Any, make_row: Any, make_patch: Any) -> None:
    pages.answers = {"": make_patch("", "1", [make_row("a")], [make_row("a")]), "1": CloudAway("no network")}
    async with MirrorStore.open(path) as store:
        await (await Mirror.load(store)).pull(pages, "dock")
    async with MirrorStore.open(path) as store:
        mirror = await Mirror.load(store)
        assert skus(mirror) == ["a"]
        with pytest.raises(CloudAway):
            await mirror.pull(pages, "dock")
        assert skus(mirror) == ["a"]


async def test_pages_are_applied_when_the_last_one_is_here(path: Path, pages: Any, make_row: Any, make_patch: Any) -> None:
    a, b = make_row("a"), make_row("b")
    pages.answers = {"": make_patch("", "1", [a], [], more=True), "1": CloudAway("cut off between pages")}
    async with MirrorStore.open(path) as store:
        mirror = await Mirror.load(store)
        with pytest.raises(CloudAway):
            await mirror.pull(pages, "dock")
        assert (skus(mirror), await store.load()) == ([], ("", {}))
        pages.answers["1"] = make_patch("1", "2", [b], [a, b])
        assert await mirror.pull(pages, "dock")
        assert skus(mirror) == ["a", "b"]
    assert pages.asked == ["", "1", "", "1"]


async def test_a_wrong_checksum_leads_to_a_full_pull(path: Path, pages: Any, make_row: Any, make_patch: Any) -> None:
    a, b = make_row("a"), make_row("b")
    pages.answers = {"": make_patch("", "1", [a], [a])}
    async with MirrorStore.open(path) as store:
        mirror = await Mirror.load(store)
        await mirror.pull(pages, "dock")
        pages.answers = {"1": make_patch("1", "2", [b], [b]), "": make_patch("", "7", [Clear(), b], [b])}
        assert await mirror.pull(pages, "dock")
        assert skus(mirror) == ["b"]
    assert (pages.asked, await on_disk(path)) == (["", "1", ""], ("7", ["b"]))


async def test_an_empty_patch_with_another_sum_is_no_news_of_nothing(
    path: Path, pages: Any, make_row: Any, make_patch: Any
) -> None:
    a, b = make_row("a"), make_row("b")
    pages.answers = {"": make_patch("", "1", [a], [a])}
    async with MirrorStore.open(path) as store:
        mirror = await Mirror.load(store)
        await mirror.pull(pages, "dock")
        pages.answers = {"1": make_patch("1", "1", [], [a, b]), "": make_patch("", "1", [a, b], [a, b])}
        assert await mirror.pull(pages, "dock")
        assert skus(mirror) == ["a", "b"]


async def test_a_cloud_that_never_agrees_with_itself_changes_nothing(
    path: Path, pages: Any, make_row: Any, make_patch: Any
) -> None:
    a, b = make_row("a"), make_row("b")
    pages.answers = {"": make_patch("", "1", [a], [a])}
    async with MirrorStore.open(path) as store:
        mirror = await Mirror.load(store)
        await mirror.pull(pages, "dock")
        pages.answers = {cookie: make_patch(cookie, "2", [b], []) for cookie in ("1", "")}
        with pytest.raises(CloudAway, match="checksum"):
            await mirror.pull(pages, "dock")
        assert (skus(mirror), (await store.load())[0]) == (["a"], "1")


@pytest.mark.parametrize("cookies", [["", ""], ["1", "1"], [str(n) for n in range(1, MAX_PAGES + 50)]])
async def test_pages_without_end_are_given_up(path: Path, pages: Any, make_patch: Any, cookies: list[str]) -> None:
    for before, after in zip(["", *cookies], cookies, strict=False):
        pages.answers[before] = make_patch(before, after, [], [], more=True)
    async with MirrorStore.open(path) as store:
        mirror = await Mirror.load(store)
        with pytest.raises(CloudAway, match="circles"):
            await mirror.pull(pages, "dock")
    assert len(pages.asked) <= MAX_PAGES


async def test_a_new_cookie_for_the_same_rows_is_kept_and_wakes_nobody(
    path: Path, pages: Any, make_row: Any, make_patch: Any
) -> None:
    a = make_row("a")
    pages.answers = {"": make_patch("", "1", [a], [a]), "1": make_patch("1", "2", [], [a])}
    async with MirrorStore.open(path) as store:
        mirror = await Mirror.load(store)
        assert await mirror.pull(pages, "dock")
        view = mirror.view
        assert not await mirror.pull(pages, "dock")
        assert mirror.view is view
    assert await on_disk(path) == ("2", ["a"])


async def test_unreadable_rows_are_left_out_of_the_view_and_stay_in_the_mirror(
    path: Path, pages: Any, make_row: Any, make_patch: Any
) -> None:
    rows = [make_row("good"), Row("product", "bad", 1, {"sku": 7}), Row("person", "dana", 1, {"login": "dana"})]
    rows.append(Row("table-of-tomorrow", "x", 1, {"anything": [1]}))
    pages.answers = {"": make_patch("", "1", rows, rows)}
    async with MirrorStore.open(path) as store:
        mirror = await Mirror.load(store)
        await mirror.pull(pages, "dock")
    assert (skus(mirror), mirror.view.unreadable, mirror.view.people()) == (["good"], 2, [])
    assert (await on_disk(path))[1] == ["bad", "dana", "good", "x"]


async def test_look_ups_give_none_for_what_is_not_there(path: Path, pages: Any, make_row: Any, make_patch: Any) -> None:
    code = Row("code", "gtin:07290000000015", 1, {"scheme": "gtin", "code": "07290000000015", "product": "a"})
    stray = Row("code", "gtin:07290000000022", 1, {"scheme": "gtin", "code": "07290000000022", "product": "gone"})
    order = Row("order", "PO-1", 3, {"ref": "PO-1", "supplier": "s", "lines": []})
    station = Row("station", "dock", 1, {"code": "dock", "name": "Dock", "site": "north"})
    rows = [make_row("a"), code, stray, order, station]
    pages.answers = {"": make_patch("", "1", rows, rows)}
    async with MirrorStore.open(path) as store:
        mirror = await Mirror.load(store)
        await mirror.pull(pages, "dock")
    view = mirror.view
    assert view.product_of_code("gtin", "07290000000015") is view.product("a")
    assert view.product_of_code("gtin", "07290000000022") is None
    assert view.product_of_code("own", "07290000000015") is None
    assert (view.order("PO-1"), view.rev("order", "PO-1"), view.rev("order", "PO-2")) == (view.orders()[0], 3, None)
    assert (view.station().site, view.party("s"), view.person("x")) == ("north", None, None)


NOT_OURS = [
    b"not a database, but somebody's data" * 100,
    b"SQLite format 3\0" + b"\xff" * 5000,
    b"\0" * 8192,
]


@pytest.mark.parametrize("content", NOT_OURS, ids=["text", "torn", "zeros"])
async def test_a_damaged_file_is_set_aside_and_an_empty_mirror_takes_its_place(
    path: Path, pages: Any, make_row: Any, make_patch: Any, content: bytes
) -> None:
    write(path, content)
    write(path.with_name("mirror.db-wal"), b"an old log")
    with capture_logs() as logs:
        async with MirrorStore.open(path) as store:
            mirror = await Mirror.load(store)
            pages.answers = {"": make_patch("", "1", [make_row("a")], [make_row("a")])}
            assert await mirror.pull(pages, "dock")
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["mirror_set_aside"]
    assert read(path.with_name("mirror.db.damaged")) == content
    assert await on_disk(path) == ("1", ["a"])


STATEMENTS = {
    "other columns": "DROP TABLE row; CREATE TABLE row (a TEXT)",
    "no JSON": "UPDATE row SET v = '{'",
    "no object": "UPDATE row SET v = '[1]'",
    "no text": "UPDATE row SET v = CAST(x'ff' AS TEXT)",
}


@pytest.mark.parametrize("what", STATEMENTS)
async def test_content_that_cannot_be_read_is_damage_too(
    path: Path, pages: Any, make_row: Any, make_patch: Any, what: str
) -> None:
    pages.answers = {"": make_patch("", "1", [make_row("a")], [make_row("a")])}
    async with MirrorStore.open(path) as store:
        await (await Mirror.load(store)).pull(pages, "dock")
    connection = sqlite3.connect(path)
    connection.executescript(STATEMENTS[what])
    connection.close()
    with capture_logs() as logs:
        assert await on_disk(path) == ("", [])
    assert [line["event"] for line in logs] == ["mirror_set_aside"]


async def test_pages_torn_in_the_middle_of_a_large_mirror_are_found_at_start(path: Path) -> None:
    rows = {("product", f"{n:05}"): Row("product", f"{n:05}", 1, {"name": "x" * 200}) for n in range(2000)}
    async with MirrorStore.open(path) as store:
        await store.save({}, rows, "1")
    data = bytearray(read(path))
    data[len(data) // 2 : len(data) // 2 + 8192] = b"\xa5" * 8192
    write(path, bytes(data))
    with capture_logs() as logs:
        assert await on_disk(path) == ("", [])
    assert [line["event"] for line in logs] == ["mirror_set_aside"]


async def test_only_the_newest_damaged_file_is_kept(path: Path) -> None:
    for content in (NOT_OURS[0], NOT_OURS[2]):
        write(path, content)
        async with MirrorStore.open(path):
            pass
    assert names_in(path.parent) == ["mirror.db", "mirror.db.damaged"]
    assert read(path.with_name("mirror.db.damaged")) == NOT_OURS[2]


async def test_a_place_that_cannot_be_used_is_a_fault_and_nothing_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for place in (tmp_path / "folder", tmp_path / "missing" / "mirror.db"):
        with pytest.raises(MirrorFault):
            async with MirrorStore.open(place):
                pass
    assert names_in(tmp_path) == ["folder"]


async def test_a_locked_mirror_is_a_fault_and_the_next_save_is_whole(path: Path) -> None:
    a = {("product", "a"): Row("product", "a", 1, {})}
    async with MirrorStore.open(path) as store:
        await store._connection.execute("PRAGMA busy_timeout=1")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(MirrorFault, match="locked"):
            await store.save({}, a, "1")
        other.execute("COMMIT")
        other.close()
        await store.save({}, a, "1")
    assert await on_disk(path) == ("1", ["a"])


async def test_a_full_disk_leaves_the_old_state_and_the_next_save_is_whole(path: Path) -> None:
    big = {("product", str(n)): Row("product", str(n), 1, {"x": "y" * 5000}) for n in range(100)}
    one = {("product", "a"): Row("product", "a", 1, {})}
    async with MirrorStore.open(path) as store:
        await store.save({}, one, "1")
        await store._connection.execute("PRAGMA max_page_count=10")
        with pytest.raises(MirrorFault, match="full"):
            await store.save(one, big, "2")
        assert await store.load() == ("1", one)
        await store._connection.execute("PRAGMA max_page_count=100000")
        await store.save(one, big, "2")
        assert await store.load() == ("2", big)


async def test_a_failed_statement_takes_the_whole_save_back(path: Path) -> None:
    one, two = ({("product", key): Row("product", key, 1, {})} for key in "ab")
    async with MirrorStore.open(path) as store:
        await store.save({}, one, "1")
        # SQLite leaves the transaction open after this fault, with the deletion in it.
        refuse = "CREATE TRIGGER no BEFORE INSERT ON cookie BEGIN SELECT RAISE(ABORT, 'refused'); END"
        await store._connection.execute(refuse)
        with pytest.raises(MirrorFault, match="refused"):
            await store.save(one, two, "2")
        assert await store.load() == ("1", one)
        await store._connection.execute("DROP TRIGGER no")
        await store.save(one, two, "2")
    assert await on_disk(path) == ("2", ["b"])


async def test_a_cancelled_save_leaves_one_whole_state_and_the_store_usable(path: Path) -> None:
    states = [{("product", str(n)): Row("product", str(n), rev, {}) for n in range(200)} for rev in range(8)]
    async with MirrorStore.open(path) as store:
        await store.save({}, states[0], "0")
        for number, state in enumerate(states[1:], 1):
            saving = asyncio.create_task(store.save(states[number - 1], state, str(number)))
            for _ in range(number):
                await asyncio.sleep(0)
            saving.cancel()
            await asyncio.gather(saving, return_exceptions=True)
            cookie, rows = await store.load()
            assert rows == states[int(cookie)]
            await store.save(rows, state, str(number))


KILLED = textwrap.dedent("""
    import asyncio, sys
    from pathlib import Path
    from edge.mirror.store import MirrorStore
    from sync_protocol.mirror import Row
    async def main():
        async with MirrorStore.open(Path(sys.argv[1])) as store:
            _, before = await store.load()
            for rev in range(1, 1000000):
                after = {("product", str(n)): Row("product", str(n), rev, {}) for n in range(300)}
                await store.save(before, after, str(rev))
                before = after
                sys.stdout.write(f"{rev}\\n")
                sys.stdout.flush()
    asyncio.run(main())
""")


@pytest.mark.parametrize("after", [1, 7, 20])
async def test_a_kill_in_the_middle_of_saving_leaves_rows_and_cookie_that_belong_together(path: Path, after: int) -> None:
    def kill() -> None:
        with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True) as box:
            for _ in range(after):
                box.stdout.readline()
            os.kill(box.pid, signal.SIGKILL)

    await asyncio.to_thread(kill)
    async with MirrorStore.open(path) as store:
        cookie, rows = await store.load()
    assert {str(row.rev) for row in rows.values()} == {cookie}
    assert (len(rows), int(cookie) >= after) == (300, True)


class Enough(Exception):
    """The test has seen enough."""


async def test_keeping_near_the_cloud_rests_between_pulls_and_backs_off_when_it_is_away(
    path: Path, pages: Any, make_row: Any, make_patch: Any
) -> None:
    a = make_row("a")
    away = CloudAway("no network")
    script = [away, away, CloudAway("busy", 40.0), make_patch("", "1", [a], [a]), make_patch("1", "1", [], [a]), away]
    pauses: list[float] = []
    changes: list[list[str]] = []

    class Scripted:
        async def pull(self, _scope: str, _cookie: str) -> Any:
            answer = script.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

    async def sleep(pause_s: float) -> None:
        pauses.append(pause_s)
        if not script:
            raise Enough

    async with MirrorStore.open(path) as store:
        mirror = await Mirror.load(store)

        async def changed() -> None:
            changes.append(skus(mirror))

        with pytest.raises(Enough):
            await mirror.keep(
                Scripted(), "dock", every_s=lambda: 15, backoff=Backoff(300, lambda: 1.0), changed=changed, sleep=sleep
            )
    assert (pauses, changes) == ([1, 2, 40, 15, 15, 1], [["a"]])
