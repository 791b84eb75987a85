"""Decisions about failed checks: who may take them, and what an accepted code becomes."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import GuardFailed, Refused
from cloud.kernel.actor import Taken
from cloud.kernel.events import REPLAYING, append_event
from cloud.masters.gtin import gtin14
from cloud.masters.models import ProductCode
from cloud.people.models import Role
from cloud.receiving.models import LearnedCode, Receipt, ReceiptException
from cloud.trade.models import CheckSetting
from sync_protocol.receiving.checks import approver_finding
from sync_protocol.receiving.settings import Severity

ACCEPT, REFUSE = "accept", "refuse"

DECIDERS = frozenset({Role.ADMIN, Role.SUPERVISOR})
"""Who decides where the house's setting names nobody."""


def named(taken: Taken, receipt: Receipt) -> ReceiptException:
    """The exception that an action is about. Raises GuardFailed."""
    wanted = taken.values.get("exception", "")
    found = next((row for row in receipt.exceptions if str(row.id) == wanted), None)
    if found is None:
        raise GuardFailed("no_such_exception", ref=receipt.ref)
    return found


async def may_decide(session: AsyncSession, receipt: Receipt, taken: Taken) -> None:
    """Raises GuardFailed: nothing to decide, not this person's to decide, or they counted themselves."""
    row = named(taken, receipt)
    if row.severity != Severity.DECISION:
        raise GuardFailed("not_to_be_decided", check=row.check)
    if taken.values.get("decision") not in {ACCEPT, REFUSE}:
        raise GuardFailed("no_such_decision")
    if session.info.get(REPLAYING) and taken.actor.via is None:
        return  # It was their decision when they took it; what the house asks for by now is for those to come.
    setting = await setting_of(session, receipt, row)
    roles = setting.decide_roles if setting is not None else []
    if roles and taken.actor.role not in roles:
        raise GuardFailed("decider_role", check=row.check, roles=", ".join(roles))
    if not roles and taken.access is None and taken.actor.role not in DECIDERS:
        raise GuardFailed("decider_role", check=row.check, roles=", ".join(sorted(DECIDERS)))
    apart = setting is not None and setting.needs_other_person
    same = approver_finding(row.check, taken.actor.name, counters(receipt, row.line_number), apart=apart)
    if same is not None:
        raise GuardFailed(same.check, check=row.check, approver=taken.actor.name)


async def setting_of(session: AsyncSession, receipt: Receipt, row: ReceiptException) -> CheckSetting | None:
    """The setting for the exception's product, else for all."""
    line = next((each for each in receipt.lines if each.number == row.line_number), None)
    product_id = line.product_id if line is not None else None
    rows = await session.scalars(select(CheckSetting).where(CheckSetting.check == row.check, CheckSetting.archived.is_(False)))
    found = {each.product_id: each for each in rows}
    return (found.get(product_id) if product_id is not None else None) or found.get(None)


def counters(receipt: Receipt, line: int | None) -> frozenset[str]:
    """Who counted: everybody behind a value of the line, or of the whole receipt."""
    rows = [row for row in receipt.evidence if line is None or (row.line is not None and row.line.number == line)]
    return frozenset({receipt.operator, *(row.by for row in rows)})


async def decide(session: AsyncSession, receipt: Receipt, taken: Taken) -> Mapping[str, Any]:
    """Keep the decision."""
    row = named(taken, receipt)
    before = row.decision
    row.decision, row.by, row.reason, row.decided_at = taken.values["decision"], taken.actor.name, taken.reason, taken.at
    row.role, row.via, row.method = taken.actor.role, taken.actor.via, taken.values.get("method")
    if row.check == "code_learned":
        await _settle(session, receipt, row, taken)
    await session.flush()
    # The place and not the row's id: records can be made again from the journal, and their rows then have other ids.
    return {"check": row.check, "line": row.line_number, "decision": [before, row.decision], "role": row.role}


async def may_undecide(_session: AsyncSession, receipt: Receipt, taken: Taken) -> None:
    """Raises GuardFailed where there is nothing to take back."""
    if named(taken, receipt).decision is None:
        raise GuardFailed("not_decided")


async def undecide(session: AsyncSession, receipt: Receipt, taken: Taken) -> Mapping[str, Any]:
    """Take a decision back. A code that was accepted with it stays one: others may have been read by it since."""
    row = named(taken, receipt)
    before = row.decision
    row.decision = row.by = row.reason = row.decided_at = None
    row.role = row.via = row.method = None
    await session.flush()
    return {"check": row.check, "line": row.line_number, "decision": [before, None]}


async def _settle(session: AsyncSession, receipt: Receipt, row: ReceiptException, taken: Taken) -> None:
    about = [each for each in receipt.learned if each.sku == row.expected]
    exact = [each for each in about if each.code == row.found]
    for learned in exact or about:
        if row.decision == ACCEPT:
            await accept_code(session, receipt, learned, taken)
        else:
            _stand(learned, "refused", taken)


async def accept_code(session: AsyncSession, receipt: Receipt, learned: LearnedCode, taken: Taken) -> None:
    """Make a learned code a code of its product. Raises GuardFailed `code_taken` where it is another product's, and
    `product_unknown`; Refused where it cannot be a code of its scheme."""
    product = learned.product
    if product is None:
        raise GuardFailed("product_unknown", sku=learned.sku)
    code = gtin14(learned.code) if learned.scheme == "gtin" else learned.code
    party_id = receipt.supplier_id if learned.scheme == "supplier" else None
    known = await session.scalar(
        select(ProductCode).where(
            ProductCode.scheme == learned.scheme, ProductCode.code == code, ProductCode.party_id.is_not_distinct_from(party_id)
        )
    )
    if known is not None and known.product_id != product.id:
        raise GuardFailed("code_taken", text=code, sku=known.product.sku)
    if known is None:
        pack = Decimal(learned.pack) if learned.pack else Decimal(1)
        made = ProductCode(scheme=learned.scheme, code=code, product_id=product.id, party_id=party_id, pack_qty=pack)
        made.created_at, made.created_by = taken.at, taken.actor.name
        session.add(made)
        changes = {"code": [None, f"{learned.scheme}:{code}"], "receipt": [None, receipt.ref]}
        await append_event(session, taken, action="learn_code", kind="product", ref=product.sku, changes=changes)
    _stand(learned, "accepted", taken)
    await session.flush()


def refuse_code(learned: LearnedCode, taken: Taken) -> None:
    """The code stays unknown."""
    _stand(learned, "refused", taken)


def _stand(learned: LearnedCode, standing: str, taken: Taken) -> None:
    learned.standing, learned.decided_by, learned.decided_at = standing, taken.actor.name, taken.at


def learned_of(receipt: Receipt, code: str) -> LearnedCode:
    """The code of the receipt that is called so. Raises Refused."""
    found = next((each for each in receipt.learned if each.code == code), None)
    if found is None:
        raise Refused("no_such_code", text=code[:60])
    return found
