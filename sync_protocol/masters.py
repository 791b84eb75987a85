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
    tz: str | None = None
    flows: list[str] = ["receive"]
    """Jobs that are done here: receive, put_away, move, count, gate."""
    location: str | None = None
    """Code of the place where goods lie that were received here."""
    badge_salt: str | None = None
    house: str | None = None
    """Party ref of the house."""
    largest: int | None = None
    """How many rows of stock the mirror was given; None: all there are."""


class Person(_Master):
    """Table `person`, key: login. `pin_hash` is argon2id; people without a PIN cannot sign in at a box."""

    badge_hash: str | None = None
    """scrypt of the badge's code with the station's `badge_salt`, as the core keeps it."""
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
    supplier: bool = True
    owner: bool = False
    """Whether goods of theirs may lie here."""


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
    under_tolerance: str = "0"
    weight_tolerance: str | None = None
    """Share by which a weight may differ from the announced one and from count times `unit_weight`; None: not compared."""
    unit_weight: str | None = None
    """Kilograms of one `unit`, net."""
    tare: str | None = None
    """Kilograms of its packaging."""
    min_life_days: int | None = None
    temp_min: str | None = None
    temp_max: str | None = None
    """Degrees Celsius."""
    owner: str | None = None
    """Party ref where the product is not the house's."""
    quarantine: bool = False
    """Goods wait in quarantine until they are released."""
    archived: bool = False


class Code(_Master):
    """Table `code`, key: `scheme:code` (`gtin:07290001234563`), for a supplier's own `scheme:code:party`.

    Schemes: gtin (14 digits), supplier, own. `pack` is how much of the product's unit carries the code.
    """

    scheme: Literal["gtin", "supplier", "own"]
    code: str
    product: str
    party: str | None = None
    pack: str = "1"
    others: list[str] = []
    """Further products that the same code may mean: the operator is asked."""


class OrderLine(_Master):
    """One line of an order; `received` is what was posted so far, in the line's unit. A closed line awaits nothing."""

    line: str
    product: str
    quantity: str
    unit: str
    received: str = "0"
    over_tolerance: str | None = None
    under_tolerance: str | None = None
    """Shares agreed for this line; None: the product's."""
    closed: bool = False


class Order(_Master):
    """Table `order`, key: ref. Confirmed purchase orders for the station's site."""

    ref: str
    supplier: str
    lines: list[OrderLine]
    currency: str | None = None
    owner: str | None = None


class NoticeLine(_Master):
    """One line of a notice: so much of a product, perhaps on a handling unit (SSCC), with lot, expiry and serials announced."""

    line: str
    product: str
    quantity: str
    unit: str
    order_line: str | None = None
    lot: str | None = None
    expiry: str | None = None
    serials: list[str] = []
    sscc: str | None = None
    weight: str | None = None
    """Kilograms, net."""


class Notice(_Master):
    """Table `notice`, key: ref. Advance shipping notices on their way to the station's site, or being received."""

    ref: str
    supplier: str
    order: str | None = None
    owner: str | None = None
    document: str | None = None
    """The delivery note's number that they named."""
    currency: str | None = None
    shipped_at: str | None = None
    """ISO time."""
    expected_at: str | None = None
    carrier: str | None = None
    vehicle: str | None = None
    container: str | None = None
    seals: list[str] = []
    lines: list[NoticeLine]


class Location(_Master):
    """Table `location`, key: code. Places of the station's site; `usage` as in the core."""

    code: str
    name: str
    name_he: str | None = None
    usage: str
    parent: str | None = None
    hold: bool = False
    temperature_class: str | None = None
    temp_min: str | None = None
    temp_max: str | None = None
    owner: str | None = None
    """Only goods of this party may lie here."""


class Packaging(_Master):
    """Table `packaging`, key: code. A kind of pallet, tub or crate whose tare is known, in kilograms."""

    code: str
    name: str
    name_he: str | None = None
    tare: str


class Lot(_Master):
    """Table `lot`, key: `product:code`. Lots in stock and lots that are blocked. Serial numbers are lots of one."""

    product: str
    code: str
    expiry: str | None = None
    status: Literal["pending", "released", "hold", "rejected", "recalled"]
    serial: bool = False
    in_stock: bool = False


class Stock(_Master):
    """Table `stock`, key: `location:product:lot:sscc:owner` (empty where there is none). What lies at the station's site, as
    the core had it; what a box did since is added by the box."""

    location: str
    product: str
    lot: str | None = None
    sscc: str | None = None
    owner: str
    quantity: str
    reserved: str = "0"
    receipt: str | None = None
    """Job id of the receipt whose line is still to be put away."""
    receipt_line: int | None = None


class Delivery(_Master):
    """Table `delivery`, key: `supplier:document`. Delivery notes of the last year that were received, and their units."""

    supplier: str
    document: str
    receipt: str
    """The job's id."""
    ref: str


class Unit(_Master):
    """Table `unit`, key: SSCC. Handling units that were received already."""

    sscc: str
    receipt: str | None = None
    location: str | None = None


class Container(_Master):
    """Table `container`, key: number. Containers that are expected, stored or on hold at the station's site."""

    number: str
    status: str
    """announced, gate_in, stored, stripped, stuffed, ready, gate_out or empty_returned."""
    holds: list[str] = []
    seals: list[str] = []
    tare: str | None = None
    """Kilograms."""
    client: str | None = None


class Sheet(_Master):
    """Table `sheet`, key: ref. Counts that staff planned; blind, so that no amounts are told."""

    ref: str
    location: str
    second: bool = False
    counted_by: str | None = None
    """Login of who counted first: somebody else has to count again."""


class CheckSetting(_Master):
    """Table `check`, key: `check:product` (empty for all). How grave a failed check is here."""

    check: str
    product: str | None = None
    severity: Literal["info", "decision", "stop"]


class Review(_Master):
    """Table `review`, key: the job's id. What this box wrote that a person has to look at, and why."""

    job: str
    kind: str
    ref: str
    reason: str
    detail: str | None = None


class Range(_Master):
    """Table `range`, key: the box's id. Where the numbers of the box's own papers begin: `<prefix>-<count>`."""

    prefix: str
    taken: dict[str, int] = {}
    """By run of the box, how many of its entries the table `stock` takes account of: later acts are added by the box."""


Master = (
    Station
    | Person
    | Party
    | Product
    | Code
    | Order
    | Notice
    | Location
    | Packaging
    | Lot
    | Stock
    | Delivery
    | Unit
    | Container
    | Sheet
    | CheckSetting
    | Review
    | Range
)

TABLES: dict[str, type[Master]] = {
    "station": Station,
    "person": Person,
    "party": Party,
    "product": Product,
    "code": Code,
    "order": Order,
    "notice": Notice,
    "location": Location,
    "packaging": Packaging,
    "lot": Lot,
    "stock": Stock,
    "delivery": Delivery,
    "unit": Unit,
    "container": Container,
    "sheet": Sheet,
    "check": CheckSetting,
    "review": Review,
    "range": Range,
}
