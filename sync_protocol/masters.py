"""Master data as a station's mirror carries it: one model per table of the mirror. Amounts are plain decimals as text."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Master(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Station(_Master):
    """Table `station`, key: the station's code."""

    code: str
    name: str
    name_he: str | None = None
    site: str


class Person(_Master):
    """Table `person`, key: login. `pin_hash` is argon2id; people without a PIN cannot sign in at a box."""

    login: str
    name: str
    role: Literal["operator", "supervisor", "technician"]
    pin_hash: str
    locale: Literal["he", "en"] = "he"


class Party(_Master):
    """Table `party`, key: ref. Suppliers of the station's open orders."""

    ref: str
    name: str
    name_he: str | None = None


class Product(_Master):
    """Table `product`, key: sku. `unit` is what stock is counted in; its dimension decides between weighing and counting."""

    sku: str
    name: str
    name_he: str | None = None
    unit: str
    tracking: Literal["none", "lot", "serial"] = "none"
    expiry: Literal["none", "required"] = "none"
    identity_policy: Literal["none", "optional", "required"] = "optional"
    weight_policy: Literal["none", "optional", "required"] = "optional"
    over_tolerance: str = "0"
    """Share of the ordered quantity, e.g. `0.05`."""


class Code(_Master):
    """Table `code`, key: `scheme:code` (`gtin:07290001234563`). Schemes: gtin (14 digits), supplier, own."""

    scheme: Literal["gtin", "supplier", "own"]
    code: str
    product: str


class OrderLine(_Master):
    """One line of an order; `received` is what was posted so far, in the line's unit."""

    line: str
    product: str
    quantity: str
    unit: str
    received: str = "0"


class Order(_Master):
    """Table `order`, key: ref. Confirmed purchase orders for the station's site."""

    ref: str
    supplier: str
    lines: list[OrderLine]


TABLES: dict[str, type[Station | Person | Party | Product | Code | Order]] = {
    "station": Station,
    "person": Person,
    "party": Party,
    "product": Product,
    "code": Code,
    "order": Order,
}
