"""The roles that come with the program, and what each may do at first: the one table, from which migrations fill a database.

A grant that is added here for a database in use needs a migration of its own: what an admin changed since is not overwritten.
"""

from dataclasses import dataclass

from cloud.kernel.access import ANY, ARCHIVE, CREATE, EXPORT, READ, TRANSITION, WRITE
from cloud.people.models import Role


@dataclass(frozen=True, slots=True)
class Allowed:
    """One grant as text, as its row has it."""

    kind: str
    action: str
    scope: str = ""
    mask: str = ""


@dataclass(frozen=True, slots=True)
class BuiltinRole:
    """A role that can be changed but not removed; the admin's grants cannot be changed either."""

    key: str
    label_en: str
    label_he: str
    grants: tuple[Allowed, ...]


TRADE = (
    "party",
    "party_contact",
    "product",
    "product_code",
    "unit",
    "bom_line",
    "price_list",
    "price",
    "purchase_order",
    "order_line",
    "notice",
    "notice_line",
    "packaging",
    "container",
    "container_event",
)
SETTINGS = ("check_setting",)
LEDGER = ("quant", "move")
GOODS = ("lot", "handling_unit")
MOVEMENTS = ("transfer", "transfer_line", "count_sheet", "count_line")
PLACES = ("site", "station", "box", "device", "calibration", "location", "label_layout")
SALES_WORK = ("lead", "deal", "quote", "ticket", "call", "meeting", "task", "campaign", "contract", "visit")
QUALITY_WORK = ("capa", "nonconformity", "inspection", "sample")
AROUND = ("message", "activity", "attachment")

CHANGE = (CREATE, WRITE, ARCHIVE, TRANSITION + ANY)
KEEP = (READ, *CHANGE, EXPORT)
TALK = (READ, CREATE, WRITE)


def _over(kinds: tuple[str, ...], *actions: str) -> tuple[Allowed, ...]:
    return tuple(Allowed(kind, action) for kind in kinds for action in actions)


def _steps(kind: str, *names: str) -> tuple[Allowed, ...]:
    return tuple(Allowed(kind, TRANSITION + name) for name in names)


_LOOK = (*_over((*TRADE, *PLACES, *LEDGER, *GOODS, *MOVEMENTS, "receipt"), READ), *_over(AROUND, READ))

BUILTIN: tuple[BuiltinRole, ...] = (
    BuiltinRole(Role.ADMIN, "Administrator", "מנהל מערכת", (Allowed(ANY, ANY),)),
    BuiltinRole(
        Role.SUPERVISOR,
        "Supervisor",
        "אחראי",
        (
            *_over(("receipt", *PLACES, *SETTINGS, *LEDGER), READ, EXPORT),
            *_over((*TRADE, *GOODS, *MOVEMENTS), *KEEP),
            *_over(QUALITY_WORK, READ),
            *_over(AROUND, *TALK),
            *_steps("receipt", "count", "finish", "decide", "undecide", "recheck", "post", "abandon", "review"),
            *_steps("receipt", "release", "reject", "complete", "reverse"),
        ),
    ),
    BuiltinRole(
        Role.OPERATOR,
        "Operator",
        "מפעיל",
        (
            *_LOOK,
            *_over(AROUND, CREATE),
            *_steps("receipt", "count", "finish", "post"),
            # Until it is finished: what happens afterwards is for whoever checks it.
            Allowed("receipt", f"{TRANSITION}abandon", "state in ['open', 'counting']"),
        ),
    ),
    BuiltinRole(Role.VIEWER, "Viewer", "צופה", _LOOK),
    BuiltinRole(
        Role.QUALITY,
        "Quality",
        "איכות",
        (
            *_LOOK,
            *_steps("receipt", "decide", "release", "reject"),
            *_over(QUALITY_WORK, *KEEP),
            *_over(("lot",), *CHANGE, EXPORT),
            *_over(("calibration",), CREATE, WRITE, EXPORT),
            *_over(AROUND, CREATE, WRITE),
        ),
    ),
    BuiltinRole(
        Role.SALES,
        "Sales",
        "מכירות",
        (
            *_over(("party", "party_contact", *SALES_WORK), *KEEP),
            *_over(("product", "product_code", "unit", "price_list", "price"), READ, EXPORT),
            *_over(AROUND, *TALK),
        ),
    ),
    BuiltinRole(
        Role.TECHNICIAN,
        "Technician",
        "טכנאי",
        (*_over(("site",), READ), *_over(PLACES[1:], READ, CREATE, WRITE, TRANSITION + ANY), *_over(AROUND, *TALK)),
    ),
    BuiltinRole(Role.AUDITOR, "Auditor", "מבקר", (Allowed(ANY, READ), Allowed(ANY, EXPORT))),
)
