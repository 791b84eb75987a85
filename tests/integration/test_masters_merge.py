"""Two parties become one: what led to either leads to the one, the old number answers, and nothing is lost unasked."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from cloud.around.models import Activity, ActivityType, Attachment, Follower, Message, Notice, SearchDoc
from cloud.blobs.models import Blob
from cloud.boxes.models import Box
from cloud.db.base import Base
from cloud.db.engine import Sessions
from cloud.db.tables import METADATA
from cloud.errors import Forbidden, NotFound, Refused
from cloud.kernel.access import Access, Grant, Mask
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import history
from cloud.masters.duplicates import duplicates_of
from cloud.masters.kinds import MASTERS
from cloud.masters.lookup import party_by_ref
from cloud.masters.merge import references_to_party
from cloud.masters.merging import merge_parties
from cloud.masters.models import (
    LabelLayout,
    Location,
    Party,
    PartyAlias,
    PartyContact,
    PartyKey,
    PriceList,
    Product,
    ProductCode,
    PurchaseOrder,
    Site,
)
from cloud.objects import service
from cloud.objects.caller import Caller, caller
from cloud.objects.models import Link, Record
from cloud.objects.registry import Registry, Shipped
from cloud.objects.shipped import PLAIN
from cloud.receiving.models import Receipt, ReceiptLine
from cloud.stock.models import Lot
from cloud.trade.models import Container
from cloud.trade.models import Notice as ShippingNotice
from cloud.transfers.models import CountLine, CountSheet, Transfer, TransferLine

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
VISIT = """
key: visit
label: Visit
fields:
  name: {type: text}
  host: {type: party}
  guests: {type: refs, object: party}
  seats:
    type: json
    of:
      who: {type: party}
      seat: {type: text}
"""


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    path = tmp_path / "visit.yaml"
    path.write_text(VISIT, encoding="utf-8")
    return Registry(MASTERS + PLAIN + Shipped(files=(path,)))


async def _caller(session: Any, registry: Registry, access: Access | None = None) -> Caller:
    return await caller(session, registry, Taken(Actor.user("ada", "admin"), NOW, "the same firm", access=access))


async def _merge(sessions: Sessions, registry: Registry, keep: str, lose: str, access: Access | None = None) -> service.Item:
    async with sessions.write() as session:
        return await merge_parties(await _caller(session, registry, access), keep, lose)


async def _parties(sessions: Sessions, *rows: dict[str, Any]) -> list[int]:
    async with sessions.write() as session:
        parties = [Party(**{"name": one["ref"], "roles": ["customer"], **one}) for one in rows]
        session.add_all(parties)
        await session.flush()
        return [one.id for one in parties]


def _recipes(lose: int, other: int, product: int, site: int) -> dict[tuple[str, str], Callable[[], Base]]:
    """A row for every foreign key to a party."""
    return {
        ("location", "owner_id"): lambda: Location(code="L", name="l", site_id=site, owner_id=lose),
        ("label_layout", "party_id"): lambda: LabelLayout(ref="LL-1", party_id=lose, name="n", example="x"),
        ("party", "parent_id"): lambda: Party(ref="CHILD", name="child", parent_id=lose),
        ("party_alias", "party_id"): lambda: PartyAlias(ref="OLDER", uid="u", party_id=lose, at=NOW, by="ada"),
        ("party_contact", "company_id"): lambda: PartyContact(company_id=lose, person_id=other, is_primary=True),
        ("party_contact", "person_id"): lambda: PartyContact(company_id=other, person_id=lose),
        ("party_key", "party_id"): lambda: PartyKey(party_id=lose, scheme="mail", value="gone@x.il"),
        ("price_list", "party_id"): lambda: PriceList(ref="PL", name="p", party_id=lose),
        ("product", "owner_id"): lambda: Product(sku="THEIRS", name="t", unit="kg", owner_id=lose),
        ("product_code", "party_id"): lambda: ProductCode(scheme="supplier", code="C", product_id=product, party_id=lose),
        ("purchase_order", "supplier_id"): lambda: PurchaseOrder(ref="PO", supplier_id=lose, site_id=site),
        ("receipt", "supplier_id"): lambda: Receipt(
            uid="r", ref="GR", box_id="b", station_code="s", operator="dana", clock_set=True,
            opened_received_at=NOW, supplier_id=lose
        ),
        **_of_stock(lose, product, site),
    }  # fmt: skip


def _of_stock(lose: int, product: int, site: int) -> dict[tuple[str, str], Callable[[], Base]]:
    """The same of goods and their papers."""

    def receipt(ref: str, **more: Any) -> Receipt:
        given = {"box_id": "b", "station_code": "s", "operator": "dana", "clock_set": True, "opened_received_at": NOW}
        return Receipt(uid=ref, ref=ref, **given, **more)

    def notice(ref: str, supplier: int = lose, **more: int) -> ShippingNotice:
        return ShippingNotice(ref=ref, supplier_id=supplier, site_id=site, **more)

    def sheet() -> CountSheet:
        place = Location(code="COUNTED", name="c", site_id=site)
        return CountSheet(ref="CS", site_id=site, location=place)

    return {
        ("lot", "supplier_id"): lambda: Lot(ref="L-1", product_id=product, code="A1", supplier_id=lose),
        ("purchase_order", "owner_id"): lambda: PurchaseOrder(ref="PO-2", supplier_id=lose, site_id=site, owner_id=lose),
        ("receipt", "owner_id"): lambda: receipt("GR-2", owner_id=lose),
        ("receipt_line", "owner_id"): lambda: receipt(
            "GR-3", lines=[ReceiptLine(number=1, standing="kept", sku="P", product_rev=1, owner_id=lose)]
        ),
        ("shipping_notice", "supplier_id"): lambda: notice("SN-1"),
        ("shipping_notice", "owner_id"): lambda: notice("SN-2", owner_id=lose),
        ("shipping_notice", "carrier_id"): lambda: notice("SN-3", carrier_id=lose),
        ("container", "client_id"): lambda: Container(number="CSQU3054383", site_id=site, client_id=lose),
        ("transfer", "party_id"): lambda: Transfer(ref="TR-1", site_id=site, party_id=lose),
        ("transfer", "owner_id"): lambda: Transfer(ref="TR-2", site_id=site, owner_id=lose),
        ("transfer_line", "owner_id"): lambda: TransferLine(
            transfer=Transfer(ref="TR-3", site_id=site), number=1, owner_id=lose
        ),
        ("count_line", "owner_id"): lambda: CountLine(sheet=sheet(), number=1, owner_id=lose),
    }


async def test_every_foreign_key_to_a_party_is_moved(sessions: Sessions, registry: Registry) -> None:
    keep, lose, other = await _parties(sessions, {"ref": "KEEP"}, {"ref": "LOSE"}, {"ref": "OTHER", "kind": "person"})
    async with sessions.write() as session:
        site, product = Site(code="s", name="s"), Product(sku="P", name="p", unit="kg")
        box = Box(id="b", name="b", spki=b"", key_id=b"k", registered_at=NOW)
        session.add_all([site, product, box])
        await session.flush()
        recipes = _recipes(lose, other, product.id, site.id)
        found = {(table.name, column.name) for table, column in references_to_party()}
        assert found == set(recipes), "a new reference to parties needs its row here"
        for make in recipes.values():
            session.add(make())
            await session.flush()
    await _merge(sessions, registry, "KEEP", "LOSE")
    async with sessions.read() as session:
        for table, column in references_to_party():
            assert await session.scalar(select(func.count()).where(column == lose)) == 0, (table.name, column.name)
            if table.name != "party_key":
                assert await session.scalar(select(func.count()).where(column == keep)) >= 1, (table.name, column.name)
        for ref in ("KEEP", "LOSE", "OLDER"):
            party = await party_by_ref(session, ref)
            assert party is not None
            assert party.id == keep


async def test_every_table_around_records_is_moved(sessions: Sessions, registry: Registry) -> None:
    keep, lose = await _parties(sessions, {"ref": "KEEP"}, {"ref": "LOSE"})
    about = {"kind": "party", "record_id": lose, "ref": "LOSE"}
    async with sessions.write() as session:
        session.add(Blob(sha256="a" * 64, size=1, stored_at=NOW))
        kind = (await session.scalars(select(ActivityType).limit(1))).first() or ActivityType(
            key="x", label_en="x", label_he="x"
        )
        session.add(kind)
        await session.flush()
        session.add_all(
            [
                Message(**about, channel="note", direction="in", visibility="internal", author_kind="user", author="ada",
                        body="hello", created_at=NOW),
                Activity(**about, type=kind.key, summary="call", assignee="ada", zone="UTC", ends_at=NOW, created_at=NOW,
                         created_by="ada", due_on=NOW.date()),
                Attachment(**about, sha256="a" * 64, size=1, name="a.txt", mime="text/plain", file_kind="other",
                           visibility="internal", uploaded_by="ada", uploaded_at=NOW),
                Notice(**about, login="ada", about="message", why="follows", action="post", actor="omar", internal=True,
                       at=NOW),
                Follower(kind="party", record_id=lose, login="ada", since=NOW),
                Follower(kind="party", record_id=lose, login="omar", since=NOW),
                Follower(kind="party", record_id=keep, login="omar", since=NOW),
                *[SearchDoc(**about, part=part, part_id=number, ref_key="", title="", texts={}, internal=True, archived=False,
                            updated_at=NOW, title_words="", body_words="hello") for number, part in enumerate(("", "message"))],
            ]
        )  # fmt: skip
    around = [table for table in METADATA.sorted_tables if {"kind", "record_id"} <= set(table.columns.keys())]
    async with sessions.read() as session:
        for table in around:
            assert await session.scalar(select(func.count()).where(table.c.record_id == lose)), (
                f"{table.name} needs its row here"
            )
    await _merge(sessions, registry, "KEEP", "LOSE")
    async with sessions.read() as session:
        for table in around:
            assert await session.scalar(select(func.count()).where(table.c.record_id == lose)) == 0, table.name
            assert await session.scalar(select(func.count()).where(table.c.record_id == keep)) >= 1, table.name
        followers = await session.scalars(select(Follower.login).where(Follower.record_id == keep).order_by(Follower.login))
        assert followers.all() == ["ada", "omar"]


async def test_references_of_customers_own_objects_are_moved(sessions: Sessions, registry: Registry) -> None:
    await _parties(sessions, {"ref": "KEEP"}, {"ref": "LOSE"}, {"ref": "LOSE-2"})
    async with sessions.write() as session:
        who = await _caller(session, registry)
        seats = [{"who": "LOSE", "seat": "1"}, {"who": "LOSE-2", "seat": "LOSE"}]
        visit, _ = await service.create(who, "visit", {"host": "LOSE", "guests": ["KEEP", "LOSE"], "seats": seats})
        deal, _ = await service.create(who, "deal", {"name": "d", "party": "LOSE"})
    await _merge(sessions, registry, "KEEP", "LOSE")
    async with sessions.write() as session:
        who = await _caller(session, registry)
        values = (await service.get(who, "visit", visit.ref)).values
        assert (values["host"].ref, [one.ref for one in values["guests"]]) == ("KEEP", ["KEEP"])
        assert values["seats"] == [{"who": "KEEP", "seat": "1"}, {"who": "LOSE-2", "seat": "LOSE"}]
        assert (await service.get(who, "deal", deal.ref)).values["party"].ref == "KEEP"
        assert await session.scalar(select(func.count()).select_from(Link)) == 1
        assert await session.scalar(select(func.count()).select_from(Record)) == 2


async def test_values_are_joined_and_both_sides_say_so(sessions: Sessions, registry: Registry) -> None:
    await _parties(
        sessions,
        {"ref": "KEEP", "email": "a@x.il", "mail_consent": False, "extra": {"x_a": 1}, "roles": ["customer"]},
        {
            "ref": "LOSE", "name_he": "עברית", "email": "b@x.il", "mail_consent": True, "phone": "+972501234567",
            "reg_no": "5145", "whatsapp_consent": True, "whatsapp_consent_at": NOW, "extra": {"x_a": 2, "x_b": 3},
            "roles": ["supplier", "customer"], "addresses": [{"use": "main", "city": "Acre"}],
            "source": "erp", "source_key": "77",
        },
    )  # fmt: skip
    item = await _merge(sessions, registry, "KEEP", "LOSE")
    values = item.values
    assert values["roles"] == ["customer", "supplier"]
    assert (values["email"], values["mail_consent"]) == ("a@x.il", False), "a consent is for the address it was given for"
    assert (values["phone"], values["whatsapp_consent"], values["whatsapp_consent_at"]) == ("+972501234567", True, NOW)
    assert values["more_ways"] == [{"way": "mail", "value": "b@x.il", "note": ""}]
    assert (values["name_he"], values["reg_no"], values["addresses"]) == ("עברית", "5145", [{"use": "main", "city": "Acre"}])
    async with sessions.read() as session:
        kept = await party_by_ref(session, "LOSE")
        assert kept is not None
        assert (kept.ref, kept.extra) == ("KEEP", {"x_a": 1, "x_b": 3})
        alias = (await session.scalars(select(PartyAlias))).one()
        assert (alias.ref, alias.source, alias.source_key, alias.by) == ("LOSE", "erp", "77", "ada")
        assert [row.ref for row in await duplicates_of(session, {"email": "b@x.il"})] == ["KEEP"]
        lost = (await session.scalars(select(Party).where(Party.ref == "LOSE"))).one()
        assert (lost.archived, lost.reg_no, lost.source_key) == (True, None, None)
        assert (kept.source, kept.source_key) == ("erp", "77")
        assert [(row.action, row.changes["merged"]) for row in await history(session, "party", "KEEP")] == [
            ("merge", [None, "LOSE"])
        ]
        assert [(row.action, row.changes["into"]) for row in await history(session, "party", "LOSE")] == [
            ("archive", [None, "KEEP"])
        ]


async def test_a_person_who_spoke_for_both_speaks_once(sessions: Sessions, registry: Registry) -> None:
    keep, lose, dana, omar = await _parties(
        sessions, {"ref": "KEEP"}, {"ref": "LOSE"}, {"ref": "DANA", "kind": "person"}, {"ref": "OMAR", "kind": "person"}
    )
    async with sessions.write() as session:
        session.add_all(
            [
                PartyContact(company_id=keep, person_id=dana, is_primary=True),
                PartyContact(company_id=lose, person_id=dana, job="Buyer"),
                PartyContact(company_id=lose, person_id=omar, is_primary=True),
            ]
        )
    await _merge(sessions, registry, "KEEP", "LOSE")
    async with sessions.read() as session:
        rows = await session.execute(
            select(PartyContact.company_id, PartyContact.person_id, PartyContact.job, PartyContact.is_primary).order_by(
                PartyContact.person_id
            )
        )
        assert [tuple(row) for row in rows] == [(keep, dana, "Buyer", True), (keep, omar, None, False)]


async def test_what_cannot_be_joined_is_refused_and_nothing_is_moved(sessions: Sessions, registry: Registry) -> None:
    top, middle, leaf, other, *_ = await _parties(
        sessions, {"ref": "TOP", "reg_no": "1"}, {"ref": "MIDDLE"}, {"ref": "LEAF"}, {"ref": "OTHER"},
        {"ref": "PERSON", "kind": "person"}, {"ref": "NUMBERED", "reg_no": "2"}, {"ref": "OLD", "archived": True},
    )  # fmt: skip
    async with sessions.write() as session:
        for child, parent in ((middle, top), (leaf, middle)):
            (await session.get_one(Party, child)).parent_id = parent
        products = [Product(sku=sku, name=sku, unit="kg") for sku in "AB"]
        session.add_all(products)
        for party, product in ((top, products[0]), (other, products[1])):
            session.add(ProductCode(scheme="supplier", code="X", product=product, party_id=party))
        for number, party in enumerate((middle, other)):
            session.add(LabelLayout(ref=f"LL-{number}", party_id=party, name="box", example="x"))
        await session.flush()
        party_rows = (await session.execute(select(Party.__table__).order_by(Party.id))).all()
    for keep, lose, code in (
        ("TOP", "TOP", "merge_self"),
        ("TOP", "PERSON", "merge_kinds"),
        ("TOP", "OLD", "merge_archived"),
        ("TOP", "NUMBERED", "merge_numbers"),
        ("LEAF", "TOP", "merge_circle"),
        ("MIDDLE", "TOP", "merge_circle"),
        ("TOP", "OTHER", "merge_codes"),
        ("MIDDLE", "OTHER", "merge_doubles"),
    ):
        with pytest.raises(Refused) as refused:
            await _merge(sessions, registry, keep, lose)
        assert refused.value.code == code
        if code == "merge_codes":
            assert refused.value.values == {"code_text": "X", "one": "A", "other": "B"}
    async with sessions.read() as session:
        assert (await session.execute(select(Party.__table__).order_by(Party.id))).all() == party_rows
    await _merge(sessions, registry, "TOP", "LEAF")
    async with sessions.read() as session:
        assert (await session.get_one(Party, top)).parent_id is None
        assert (await session.get_one(Party, middle)).parent_id == top


async def test_who_may_not_change_the_one_and_archive_the_other_merges_nothing(sessions: Sessions, registry: Registry) -> None:
    await _parties(sessions, {"ref": "KEEP"}, {"ref": "LOSE"})
    for actions, error in (((), NotFound), (("read",), Forbidden), (("read", "write"), Forbidden)):
        access = Access.of([Grant("r", "party", action, mask=Mask()) for action in actions])
        with pytest.raises(error):
            await _merge(sessions, registry, "KEEP", "LOSE", access)


async def test_a_box_that_still_says_the_old_number_is_understood(sessions: Sessions, registry: Registry) -> None:
    _, _, third = await _parties(sessions, {"ref": "KEEP"}, {"ref": "LOSE"}, {"ref": "THIRD"})
    await _merge(sessions, registry, "KEEP", "LOSE")
    await _merge(sessions, registry, "THIRD", "KEEP")
    async with sessions.read() as session:
        assert {(await party_by_ref(session, ref)).id for ref in ("LOSE", "KEEP", "THIRD")} == {third}  # type: ignore[union-attr]
        assert await party_by_ref(session, None) is None
        assert await party_by_ref(session, "nobody") is None
