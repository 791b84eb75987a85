"""Outbox and inbox together: whatever the network does, the cloud ends with what the box wrote, once, in order."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync_protocol import chain, frame, inbox, mirror, outbox, signing
from sync_protocol.answers import Ack, Answer, Need, Refused
from sync_protocol.errors import PatchFault
from sync_protocol.ids import BoxId, RunId
from sync_protocol.mirror import Clear, Del, Patch, Put, Row

BOX = BoxId("01J0000000000000000000000A")
RUNS = [RunId(f"{n:032x}") for n in range(1, 4)]
KEY = ec.generate_private_key(ec.SECP256R1())
SPKI = signing.spki(KEY.public_key())
VERIFY = signing.verifier(SPKI)
KEY_ID = signing.key_id(SPKI)
SIGN = signing.signer(KEY)


class Box:
    """A journal in a list, and the shipped outbox over it."""

    def __init__(self) -> None:
        self.entries: dict[RunId, list[bytes]] = {}
        self.state = outbox.Outbox(())

    def write(self, run: RunId, data: bytes) -> None:
        self.entries.setdefault(run, []).append(data)
        self.state = outbox.grown(self.state, run, len(self.entries[run]))

    def hash_at(self, run: RunId, seq: int) -> bytes | None:
        hashes = chain.links(chain.seed(run), 0, self.entries[run])
        return hashes[seq] if seq < len(hashes) else None

    def send(self, size: int) -> tuple[outbox.Send, bytes] | None:
        send = outbox.next_send(self.state)
        if send is None:
            return None
        before = chain.seed(send.run) if send.first == 0 else self.hash_at(send.run, send.first - 1)
        page = self.entries[send.run][send.first : send.first + size]
        return send, frame.seal(
            box=BOX, run=send.run, first=send.first, prev=before, entries=page, gen=self.state.gen, key_id=KEY_ID, sign=SIGN
        )

    def hear(self, send: outbox.Send, answer: Answer) -> list[outbox.Effect]:
        self.state, effects = outbox.on_answer(self.state, send, answer, self.hash_at)
        return effects


class Cloud:
    """A database in a dict, and the shipped inbox over it."""

    def __init__(self) -> None:
        self.rows: dict[RunId, list[tuple[bytes, bytes]]] = {}
        self.gen = 0
        self.forks = 0

    def take(self, data: bytes) -> Answer:
        batch = frame.unseal(data, lambda _key_id: VERIFY)
        rows = self.rows.setdefault(batch.run, [])
        position = inbox.Position(len(rows), rows[-1][1] if rows else chain.seed(batch.run))
        match inbox.judge(position, batch, lambda seq: rows[seq][1]):
            case inbox.Take(skip=skip):
                rows.extend(list(zip(batch.entries, batch.hashes, strict=True))[skip:])
            case inbox.Gap():
                return Need(run=batch.run, need=position.acked, hash=position.hash.hex(), gen=self.gen)
            case inbox.Fork():
                self.forks += 1
                return Refused(err="fork")
            case inbox.Have():
                pass
        end = rows[-1][1] if rows else chain.seed(batch.run)
        return Ack(run=batch.run, acked=len(rows), hash=end.hex(), gen=self.gen, srv_time="2026-01-01T00:00:00Z")


actions = st.lists(
    st.tuples(
        st.sampled_from(["write", "send", "lose", "lose_answer", "repeat", "late", "late_answer", "restore"]), st.integers(0, 5)
    ),
    max_size=60,
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(actions)
def test_loss_duplication_reordering_and_restored_clouds_converge(script: list[tuple[str, int]]) -> None:
    box, cloud = Box(), Cloud()
    old_frames: list[bytes] = []
    old_answers: list[tuple[outbox.Send, Answer]] = []
    backup: dict[RunId, list[tuple[bytes, bytes]]] = {}
    written = 0
    for action, number in script:
        if action == "write":
            written += 1
            box.write(RUNS[min(written // 7, 2)], f"entry {written}".encode())
        elif action == "repeat" and old_frames:
            cloud.take(old_frames[number % len(old_frames)])
        elif action == "late_answer" and old_answers:
            box.hear(*old_answers[number % len(old_answers)])
        elif action == "restore":
            # A backup is some earlier whole state; keeping one and going back to it are one action here.
            cloud.rows, backup = (
                {run: list(rows) for run, rows in backup.items()},
                {run: list(rows) for run, rows in cloud.rows.items()},
            )
            cloud.gen += 1
        elif (sent := box.send(size=number + 1)) is not None:
            send, data = sent
            old_frames.append(data)
            if action != "lose":
                answer = cloud.take(data)
                old_answers.append((send, answer))
                if action != "lose_answer":
                    box.hear(send, answer)
    box.write(RUNS[2], b"a last entry, so that the cloud's generation is heard")
    for _ in range(200):
        sent = box.send(size=4)
        if sent is None:
            break
        box.hear(sent[0], cloud.take(sent[1]))
    assert cloud.forks == 0
    assert {run: [data for data, _ in rows] for run, rows in cloud.rows.items() if rows} == box.entries
    assert all(state.acked == state.tip and not state.stopped for state in box.state.runs)


def two_batches() -> tuple[Box, bytes, bytes]:
    box = Box()
    for n in range(4):
        box.write(RUNS[0], f"e{n}".encode())
    _, first = box.send(2)
    box.state = outbox.Outbox((outbox.RunState(RUNS[0], 4, acked=2),))
    _, second = box.send(2)
    return box, first, second


def test_a_batch_ahead_of_the_cloud_is_answered_with_what_is_needed() -> None:
    _, first, second = two_batches()
    cloud = Cloud()
    answer = cloud.take(second)
    assert isinstance(answer, Need)
    assert answer.need == 0
    assert cloud.take(first).acked == 2
    assert cloud.take(second).acked == 4


def test_an_overlapping_batch_gives_its_rest() -> None:
    box, first, _ = two_batches()
    cloud = Cloud()
    cloud.take(first)
    box.state = outbox.Outbox((outbox.RunState(RUNS[0], 4, acked=1),))
    assert cloud.take(box.send(3)[1]).acked == 4


@pytest.mark.parametrize("known", [1, 2, 3, 4])
def test_one_run_with_two_contents_is_a_fork_wherever_it_shows(known: int) -> None:
    box, other = Box(), Box()
    for n in range(4):
        box.write(RUNS[0], f"e{n}".encode())
        other.write(RUNS[0], b"another past" if n == 0 else f"e{n}".encode())
    cloud = Cloud()
    cloud.take(box.send(known)[1])
    sent = other.send(4)
    effects = other.hear(sent[0], cloud.take(sent[1]))
    assert cloud.forks == 1
    assert effects == [outbox.Alarm("fork", RUNS[0]), outbox.Reissue(RUNS[0], 0), outbox.Wait(None)]
    assert outbox.next_send(other.state) is None
    assert [data for data, _ in cloud.rows[RUNS[0]]] == [f"e{n}".encode() for n in range(known)]


def test_an_answer_whose_hash_is_not_ours_stops_the_run() -> None:
    box, first, _ = two_batches()
    send = outbox.Send(RUNS[0], 2)
    effects = box.hear(send, Ack(run=RUNS[0], acked=4, hash="0" * 64, gen=0, srv_time="x"))
    assert effects == [outbox.Alarm("fork", RUNS[0]), outbox.Reissue(RUNS[0], 2), outbox.Wait(None)]
    assert first


@pytest.mark.parametrize(
    ("error", "stops", "bars"),
    [
        ("slow_down", None, None),
        ("revoked", None, "revoked"),
        ("quarantine", None, "quarantine"),
        ("sig", None, "sig"),
        ("schema", "schema", None),
        ("fork", "fork", None),
    ],
)
def test_refusals_stop_as_much_as_they_must(error: str, stops: str | None, bars: str | None) -> None:
    box, _, _ = two_batches()
    box.hear(outbox.Send(RUNS[0], 2), Refused(err=error, retry_s=5))
    assert (box.state.runs[0].stopped, box.state.barred) == (stops, bars)
    assert (outbox.next_send(box.state) is None) == (stops is not None)


def test_a_barred_box_is_told_of_once_asks_on_and_is_let_in_again() -> None:
    box, _, _ = two_batches()
    send, data = box.send(2)
    assert box.hear(send, Refused(err="revoked", retry_s=9)) == [outbox.Alarm("revoked", None), outbox.Wait(9)]
    assert box.hear(send, Refused(err="revoked", retry_s=9)) == [outbox.Wait(9)]
    assert box.hear(send, Refused(err="sig")) == [outbox.Alarm("sig", None), outbox.Wait(outbox.BARRED_RETRY_S)]
    assert data
    box.state = outbox.Outbox((outbox.RunState(RUNS[0], 4),), barred="sig")
    send, data = box.send(4)
    assert box.hear(send, Cloud().take(data)) == [outbox.Moved(RUNS[0], 4)]
    assert box.state.barred is None


keys = st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"))


@given(st.dictionaries(keys, st.integers(1, 9)), st.dictionaries(keys, st.integers(1, 9)))
def test_a_patch_brings_one_state_to_the_other_and_its_sum_says_so(
    before: dict[tuple[str, str], int], after: dict[tuple[str, str], int]
) -> None:
    rows = {(t, k): Row(t, k, rev, {}) for (t, k), rev in before.items()}
    ops = [Del(t=t, k=k) for t, k in before if (t, k) not in after]
    ops += [Put(t=t, k=k, rev=rev, v={}) for (t, k), rev in after.items()]
    total = mirror.checksum((t, k, rev) for (t, k), rev in after.items())
    patch = Patch.model_validate({"from": "1", "cookie": "2", "patch": ops, "sum": total})
    assert {key: row.rev for key, row in mirror.applied(rows, patch).items()} == after
    whole = Patch.model_validate({"from": "", "cookie": "2", "patch": [Clear(), *ops], "sum": total})
    assert mirror.applied({}, mirror.parse(whole.model_dump_json(by_alias=True).encode())) == mirror.applied(rows, patch)


def test_a_patch_for_another_state_is_refused() -> None:
    patch = Patch.model_validate({"from": "1", "cookie": "2", "patch": [], "sum": mirror.checksum([("a", "x", 1)])})
    with pytest.raises(PatchFault):
        mirror.applied({}, patch)


def test_keys_cannot_be_shifted_between_table_and_key() -> None:
    assert mirror.checksum([("a", "bc", 1)]) != mirror.checksum([("ab", "c", 1)])
