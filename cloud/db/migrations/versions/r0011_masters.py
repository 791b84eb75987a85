"""Master data whole: parties, products, units, places, devices."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from typing import Any

import sqlalchemy as sa
from alembic import op

from cloud.clock import system_clock
from cloud.db.types import Json, Key, Micro, UtcTime
from sync_protocol.ids import uuid7

revision = "r0011"
down_revision = "r0010"
branch_labels = None
depends_on = None

OLD = ("site", "station", "party", "product", "product_code", "purchase_order", "order_line")
NEW = ("label_layout", "calibration", "device", "price", "price_list", "bom_line", "party_key", "party_alias", "party_contact",
       "unit")

UNITS = (
    ("{pcs}", "Piece", "יחידה", "count", 1, 1),
    ("kg", "Kilogram", "ק״ג", "mass", 1000, 1),
    ("g", "Gram", "גרם", "mass", 1, 1),
    ("mg", "Milligram", "מ״ג", "mass", 1, 1000),
    ("ug", "Microgram", "מק״ג", "mass", 1, 1_000_000),
    ("t", "Tonne", "טון", "mass", 1_000_000, 1),
    ("[lb_av]", "Pound", "ליברה", "mass", 45_359_237, 100_000),
    ("[oz_av]", "Ounce", "אונקיה", "mass", 28_349_523_125, 1_000_000_000),
    ("[oz_tr]", "Troy ounce", "אונקיית טרוי", "mass", 311_034_768, 10_000_000),
    ("[car_m]", "Carat", "קרט", "mass", 1, 5),
    ("L", "Litre", "ליטר", "volume", 1, 1),
    ("mL", "Millilitre", "מ״ל", "volume", 1, 1000),
    ("m3", "Cubic metre", "מ״ק", "volume", 1000, 1),
    ("[gal_us]", "US gallon", "גלון", "volume", 3_785_411_784, 1_000_000_000),
    ("m", "Metre", "מטר", "length", 1, 1),
    ("cm", "Centimetre", "ס״מ", "length", 1, 100),
    ("mm", "Millimetre", "מ״מ", "length", 1, 1000),
    ("[in_i]", "Inch", "אינץ׳", "length", 127, 5000),
    ("[ft_i]", "Foot", "רגל", "length", 381, 1250),
    ("m2", "Square metre", "מ״ר", "area", 1, 1),
    ("h", "Hour", "שעה", "time", 3600, 1),
    ("min", "Minute", "דקה", "time", 60, 1),
    ("d", "Day", "יום", "time", 86_400, 1),
    ("%", "Per cent", "אחוז", "ratio", 1, 100),
    ("Cel", "Degree Celsius", "מעלת צלזיוס", "temperature", 1, 1),
)
"""Code (UCUM 2.1), name in both languages, dimension, and one of it in grams, litres, metres, square metres, seconds."""


def upgrade() -> None:
    _location()
    for name in OLD:
        _grow(name)
    _site()
    _station()
    _party()
    _product()
    _product_code()
    _orders()
    _parties_around()
    _units()
    _prices()
    _devices()


def downgrade() -> None:
    for name in NEW:
        op.drop_table(name)
    _orders_back()
    _product_code_back()
    _product_back()
    _party_back()
    with _emptied("station"), op.batch_alter_table("station") as table:
        table.drop_constraint("fk_station_location_id", type_="foreignkey")
        _shrink(table, "location_id", "flows")
    with _emptied("site"), op.batch_alter_table("site") as table:
        _shrink(table, "address")
    op.drop_table("location")


# --- what every table of masters carries -------------------------------------------------------------------------------------


def _uid() -> str:
    return str(uuid7(int(system_clock().timestamp() * 1000), secrets.token_bytes(10)))


def _carried(*, uid_required: bool = True) -> list[sa.Column[Any]]:
    return [
        sa.Column("uid", sa.Text(), nullable=not uid_required),
        sa.Column("version", sa.BigInteger(), nullable=False, server_default="1"),
        sa.Column("extra", Json, nullable=False, server_default="{}"),
        sa.Column("archived", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("created_at", UtcTime(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("updated_at", UtcTime(), nullable=True),
        sa.Column("updated_by", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("source_key", sa.Text(), nullable=True),
    ]


def _create(name: str, *columns: sa.Column[Any] | sa.Constraint) -> sa.Table:
    table = op.create_table(
        name,
        sa.Column("id", Key, primary_key=True),
        *_carried(),
        *columns,
        sa.UniqueConstraint("uid", name=f"uq_{name}_uid"),
        sa.UniqueConstraint("source", "source_key", name=f"uq_{name}_source_source_key"),
    )
    op.create_index(f"ix_{name}_source_key", name, ["source_key"])
    return table


def _ref(name: str, column: str, target: str, *, nullable: bool = False) -> list[sa.Column[Any] | sa.Constraint]:
    return [
        sa.Column(column, Key, nullable=nullable),
        sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{name}_{column}"),
    ]


def _grow(name: str) -> None:
    """Give an old table what all carry; the number that must be there is drawn for each row."""
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(name)}
    for column in _carried(uid_required=False):
        if column.name not in there:
            op.add_column(name, column)
    connection, table = op.get_bind(), sa.table(name, sa.column("id"), sa.column("uid"))
    for (key,) in connection.execute(sa.select(table.c.id)).all():
        connection.execute(sa.update(table).where(table.c.id == key).values(uid=_uid()))


def _tighten(table: Any, name: str) -> None:
    table.alter_column("uid", existing_type=sa.Text(), nullable=False)
    table.create_unique_constraint(f"uq_{name}_uid", ["uid"])
    table.create_unique_constraint(f"uq_{name}_source_source_key", ["source", "source_key"])
    table.create_index(f"ix_{name}_source_key", ["source_key"])


def _shrink(table: Any, *columns: str) -> None:
    name = table.impl.table_name
    table.drop_index(f"ix_{name}_source_key")
    table.drop_constraint(f"uq_{name}_uid", type_="unique")
    table.drop_constraint(f"uq_{name}_source_source_key", type_="unique")
    kept = {"version", "created_at"} if name == "purchase_order" else set()
    for column in (*columns, *(one.name for one in _carried() if one.name not in kept)):
        table.drop_column(column)


@contextmanager
def _emptied(name: str) -> Iterator[None]:
    """SQLite alters a table by making it anew, and a table that others lead to cannot be dropped with its rows: they step
    aside meanwhile, and the check of what leads to them waits for the commit."""
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        yield
        return
    connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
    connection.exec_driver_sql(f'CREATE TABLE aside AS SELECT * FROM "{name}"')
    connection.exec_driver_sql(f'DELETE FROM "{name}"')
    yield
    inspector = sa.inspect(connection)
    aside = {column["name"] for column in inspector.get_columns("aside")}
    columns = ", ".join(f'"{column["name"]}"' for column in inspector.get_columns(name) if column["name"] in aside)
    connection.exec_driver_sql(f'INSERT INTO "{name}" ({columns}) SELECT {columns} FROM aside')
    connection.exec_driver_sql("DROP TABLE aside")


# --- old tables --------------------------------------------------------------------------------------------------------------


def _site() -> None:
    op.add_column("site", sa.Column("address", sa.Text(), nullable=True))
    with _emptied("site"), op.batch_alter_table("site") as table:
        _tighten(table, "site")


def _station() -> None:
    op.add_column("station", sa.Column("flows", Json, nullable=False, server_default='["receive"]'))
    with _emptied("station"), op.batch_alter_table("station") as table:
        _tighten(table, "station")
        table.add_column(sa.Column("location_id", Key, nullable=True))
        table.create_foreign_key("fk_station_location_id", "location", ["location_id"], ["id"])


PARTY = (
    ("kind", sa.Text(), "company"),
    ("roles", Json, "[]"),
    ("status", sa.Text(), "active"),
    ("reg_no", sa.Text(), None),
    ("vat_no", sa.Text(), None),
    ("email", sa.Text(), None),
    ("phone", sa.Text(), None),
    ("more_ways", Json, "[]"),
    ("language", sa.Text(), "he"),
    ("addresses", Json, "[]"),
    ("segment", sa.Text(), None),
    ("employees", sa.Integer(), None),
    ("website", sa.Text(), None),
    ("mail_consent", sa.Boolean(), sa.false()),
    ("mail_consent_at", UtcTime(), None),
    ("whatsapp_consent", sa.Boolean(), sa.false()),
    ("whatsapp_consent_at", UtcTime(), None),
)
"""Name, type, default; without default a column may be empty."""


def _party() -> None:
    _add("party", PARTY)
    op.execute("UPDATE party SET archived = NOT active")
    op.execute("UPDATE party SET roles = '[\"supplier\"]' WHERE is_supplier")
    with _emptied("party"), op.batch_alter_table("party") as table:
        _tighten(table, "party")
        table.drop_column("active")
        table.drop_column("is_supplier")
        table.add_column(sa.Column("parent_id", Key, nullable=True))
        table.create_unique_constraint("uq_party_reg_no", ["reg_no"])
        table.create_foreign_key("fk_party_parent_id", "party", ["parent_id"], ["id"])
        table.create_check_constraint(op.f("ck_party_not_own_parent"), "parent_id <> id")
        table.create_index("ix_party_parent_id", ["parent_id"])


def _party_back() -> None:
    op.add_column("party", sa.Column("active", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("party", sa.Column("is_supplier", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE party SET active = NOT archived")
    op.execute("UPDATE party SET is_supplier = CAST(roles AS TEXT) LIKE '%\"supplier\"%'")
    with _emptied("party"), op.batch_alter_table("party") as table:
        table.drop_index("ix_party_parent_id")
        table.drop_constraint("fk_party_parent_id", type_="foreignkey")
        table.drop_constraint(op.f("ck_party_not_own_parent"), type_="check")
        table.drop_constraint("uq_party_reg_no", type_="unique")
        for name in ("active", "is_supplier"):
            table.alter_column(name, existing_type=sa.Boolean(), server_default=None)
        _shrink(table, "parent_id", *(name for name, *_ in PARTY))


PRODUCT = (
    ("kind", sa.Text(), "stocked"),
    ("category", sa.Text(), None),
    ("min_life_days", sa.Integer(), None),
    ("unit_weight", Micro(), None),
    ("tare", Micro(), None),
    ("under_tolerance", Micro(), "0"),
    ("weight_tolerance", Micro(), None),
    ("temp_min", Micro(), None),
    ("temp_max", Micro(), None),
    ("image", sa.Text(), None),
)


def _product() -> None:
    _add("product", PRODUCT)
    op.execute("UPDATE product SET archived = NOT active")
    with _emptied("product"), op.batch_alter_table("product") as table:
        _tighten(table, "product")
        table.drop_column("active")
        table.add_column(sa.Column("owner_id", Key, nullable=True))
        table.create_foreign_key("fk_product_owner_id", "party", ["owner_id"], ["id"])
        table.create_index("ix_product_owner_id", ["owner_id"])
        table.create_index("ix_product_category", ["category"])


def _product_back() -> None:
    op.add_column("product", sa.Column("active", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.execute("UPDATE product SET active = NOT archived")
    with _emptied("product"), op.batch_alter_table("product") as table:
        table.drop_index("ix_product_category")
        table.drop_index("ix_product_owner_id")
        table.drop_constraint("fk_product_owner_id", type_="foreignkey")
        table.alter_column("active", existing_type=sa.Boolean(), server_default=None)
        _shrink(table, "owner_id", *(name for name, *_ in PRODUCT))


def _product_code() -> None:
    _add("product_code", (("pack_qty", Micro(), "1000000"), ("unit", sa.Text(), None)))
    with _emptied("product_code"), op.batch_alter_table("product_code") as table:
        _tighten(table, "product_code")
        table.drop_constraint("uq_product_code_scheme_code", type_="unique")
        table.create_unique_constraint("uq_product_code_scheme_code_party_id", ["scheme", "code", "party_id"])
        table.create_check_constraint(op.f("ck_product_code_pack_qty"), "pack_qty > 0")
        table.create_index("ix_product_code_code", ["code"])
        table.create_index("ix_product_code_product_id", ["product_id"])
        table.create_index("ix_product_code_party_id", ["party_id"])
    _unique_where("uq_product_code_of_nobody", "product_code", ["scheme", "code"], "party_id IS NULL")


def _product_code_back() -> None:
    op.drop_index("uq_product_code_of_nobody", "product_code")
    with _emptied("product_code"), op.batch_alter_table("product_code") as table:
        for name in ("code", "product_id", "party_id"):
            table.drop_index(f"ix_product_code_{name}")
        table.drop_constraint(op.f("ck_product_code_pack_qty"), type_="check")
        table.drop_constraint("uq_product_code_scheme_code_party_id", type_="unique")
        table.create_unique_constraint("uq_product_code_scheme_code", ["scheme", "code"])
        _shrink(table, "pack_qty", "unit")


def _orders() -> None:
    _add("purchase_order", (("currency", sa.Text(), None), ("ordered_on", sa.Date(), None), ("expected_on", sa.Date(), None)))
    _add("order_line", (("price", Micro(), None), ("planned_on", sa.Date(), None)))
    with _emptied("purchase_order"), op.batch_alter_table("purchase_order") as table:
        _tighten(table, "purchase_order")
        table.alter_column("created_at", existing_type=UtcTime(), nullable=True)
        table.create_index("ix_purchase_order_supplier_id", ["supplier_id"])
    with _emptied("order_line"), op.batch_alter_table("order_line") as table:
        _tighten(table, "order_line")
        table.create_index("ix_order_line_product_id", ["product_id"])


def _orders_back() -> None:
    op.execute("UPDATE purchase_order SET created_at = '1970-01-01 00:00:00' WHERE created_at IS NULL")
    with _emptied("order_line"), op.batch_alter_table("order_line") as table:
        table.drop_index("ix_order_line_product_id")
        _shrink(table, "price", "planned_on")
    with _emptied("purchase_order"), op.batch_alter_table("purchase_order") as table:
        table.drop_index("ix_purchase_order_supplier_id")
        table.alter_column("created_at", existing_type=UtcTime(), nullable=False)
        _shrink(table, "currency", "ordered_on", "expected_on")


def _add(name: str, columns: tuple[tuple[str, Any, Any], ...]) -> None:
    for column, kind, default in columns:
        op.add_column(name, sa.Column(column, kind, nullable=default is None, server_default=default))


# --- new tables --------------------------------------------------------------------------------------------------------------


def _unique_where(index: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(index, table, columns, unique=True, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _location() -> None:
    _create(
        "location",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_he", sa.Text(), nullable=True),
        *_ref("location", "site_id", "site"),
        *_ref("location", "parent_id", "location", nullable=True),
        sa.Column("usage", sa.Text(), nullable=False),
        sa.Column("hold", sa.Boolean(), nullable=False),
        sa.Column("temperature_class", sa.Text(), nullable=True),
        sa.Column("temp_min", Micro(), nullable=True),
        sa.Column("temp_max", Micro(), nullable=True),
        *_ref("location", "owner_id", "party", nullable=True),
        sa.UniqueConstraint("code", name="uq_location_code"),
        sa.CheckConstraint("parent_id <> id", name=op.f("ck_location_not_own_parent")),
    )
    for column in ("site_id", "parent_id"):
        op.create_index(f"ix_location_{column}", "location", [column])


def _parties_around() -> None:
    _create(
        "party_contact",
        *_ref("party_contact", "company_id", "party"),
        *_ref("party_contact", "person_id", "party"),
        sa.Column("job", sa.Text(), nullable=True),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("company_id", "person_id", name="uq_party_contact_company_id_person_id"),
    )
    op.create_index("ix_party_contact_person_id", "party_contact", ["person_id"])
    _unique_where("uq_party_contact_primary", "party_contact", ["company_id"], "is_primary")
    op.create_table(
        "party_alias",
        sa.Column("id", Key, primary_key=True),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("source_key", sa.Text(), nullable=True),
        *_ref("party_alias", "party_id", "party"),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.UniqueConstraint("ref", name="uq_party_alias_ref"),
        sa.UniqueConstraint("uid", name="uq_party_alias_uid"),
    )
    for column in ("source_key", "party_id"):
        op.create_index(f"ix_party_alias_{column}", "party_alias", [column])
    op.create_table(
        "party_key",
        sa.Column("id", Key, primary_key=True),
        *_ref("party_key", "party_id", "party"),
        sa.Column("scheme", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.UniqueConstraint("party_id", "scheme", "value", name="uq_party_key_party_id_scheme_value"),
    )
    op.create_index("ix_party_key_scheme_value", "party_key", ["scheme", "value"])


def _units() -> None:
    unit = _create(
        "unit",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_he", sa.Text(), nullable=True),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("numerator", sa.BigInteger(), nullable=False),
        sa.Column("denominator", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("code", name="uq_unit_code"),
        sa.CheckConstraint("numerator > 0 AND denominator > 0", name=op.f("ck_unit_factor")),
    )
    names = ("code", "name", "name_he", "dimension", "numerator", "denominator")
    op.bulk_insert(unit, [{"uid": _uid(), "created_at": system_clock(), **dict(zip(names, row, strict=True))} for row in UNITS])
    _create(
        "bom_line",
        *_ref("bom_line", "parent_id", "product"),
        *_ref("bom_line", "child_id", "product"),
        sa.Column("quantity", Micro(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("scrap", Micro(), nullable=False, server_default="0"),
        sa.UniqueConstraint("parent_id", "child_id", name="uq_bom_line_parent_id_child_id"),
        sa.CheckConstraint("parent_id <> child_id", name=op.f("ck_bom_line_not_itself")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_bom_line_quantity")),
        sa.CheckConstraint("scrap >= 0", name=op.f("ck_bom_line_scrap")),
    )
    op.create_index("ix_bom_line_child_id", "bom_line", ["child_id"])


def _prices() -> None:
    _create(
        "price_list",
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_he", sa.Text(), nullable=True),
        *_ref("price_list", "party_id", "party", nullable=True),
        sa.Column("segment", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.UniqueConstraint("ref", name="uq_price_list_ref"),
    )
    op.create_index("ix_price_list_party_id", "price_list", ["party_id"])
    _create(
        "price",
        *_ref("price", "list_id", "price_list"),
        *_ref("price", "product_id", "product"),
        sa.Column("from_qty", Micro(), nullable=False, server_default="0"),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("price", Micro(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint("from_qty >= 0", name=op.f("ck_price_from_qty")),
        sa.CheckConstraint("price >= 0", name=op.f("ck_price_price")),
    )
    op.create_index("ix_price_list_id_product_id", "price", ["list_id", "product_id"])
    op.create_index("ix_price_product_id", "price", ["product_id"])


def _devices() -> None:
    _create(
        "device",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("box_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["box_id"], ["box.id"], name="fk_device_box_id"),
        *(sa.Column(name, sa.Text(), nullable=name not in {"name", "kind"}) for name in
          ("box_device", "name", "name_he", "driver", "address", "kind", "maker", "model", "serial")),
        *_ref("device", "station_id", "station", nullable=True),
        sa.Column("calibrates", sa.Boolean(), nullable=False),
        sa.Column("calibrated_on", sa.Date(), nullable=True),
        sa.Column("calibration_due", sa.Date(), nullable=True),
        sa.UniqueConstraint("code", name="uq_device_code"),
        sa.UniqueConstraint("box_id", "box_device", name="uq_device_box_id_box_device"),
    )
    for column in ("serial", "station_id", "calibration_due"):
        op.create_index(f"ix_device_{column}", "device", [column])
    _create(
        "calibration",
        sa.Column("ref", sa.Text(), nullable=False),
        *_ref("calibration", "device_id", "device"),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("due", sa.Date(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("certificate_no", sa.Text(), nullable=True),
        sa.Column("certificate", sa.Text(), nullable=True),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("weights", Json, nullable=False),
        sa.UniqueConstraint("ref", name="uq_calibration_ref"),
        sa.CheckConstraint("due >= day", name=op.f("ck_calibration_due")),
    )
    op.create_index("ix_calibration_device_id_day", "calibration", ["device_id", "day"])
    _create(
        "label_layout",
        sa.Column("ref", sa.Text(), nullable=False),
        *_ref("label_layout", "party_id", "party"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("in_use", sa.Boolean(), nullable=False),
        sa.Column("rules", Json, nullable=False),
        sa.Column("example", sa.Text(), nullable=False),
        sa.UniqueConstraint("ref", name="uq_label_layout_ref"),
        sa.UniqueConstraint("party_id", "name", "edition", name="uq_label_layout_party_id_name_edition"),
    )
