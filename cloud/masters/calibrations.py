"""Whether a device was calibrated on a day, and how it stands."""

from datetime import date
from typing import Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.masters.models import Calibration, Device

PASSED = frozenset({"passed", "adjusted"})

Standing = Literal["removed", "found", "bound", "overdue", "calibrated"]


async def is_calibrated(session: AsyncSession, device_id: int, day: date) -> bool:
    """Whether the newest calibration up to that day (of one day the one entered last) passed and was not over by then."""
    row = await _newest(session, device_id, day)
    return row is not None and row.result in PASSED and row.day <= day <= row.due


async def refresh_device(session: AsyncSession, device_id: int) -> None:
    """Copy day and due day of the newest calibration to the device; none while there is none or it failed."""
    row = await _newest(session, device_id, date.max)
    device = await session.get_one(Device, device_id)
    passed = row is not None and row.result in PASSED
    device.calibrated_on = row.day if row is not None and passed else None
    device.calibration_due = row.due if row is not None and passed else None
    await session.flush()


def standing(device: Device, today: date) -> Standing:
    """How a device stands. One that needs no calibration is never overdue."""
    if device.archived:
        return "removed"
    if device.station_id is None:
        return "found"
    if device.calibrates and device.calibrated_on is not None and device.calibration_due is not None:
        return "calibrated" if device.calibration_due >= today else "overdue"
    return "bound"


async def _newest(session: AsyncSession, device_id: int, until: date) -> Calibration | None:
    return await session.scalar(
        select(Calibration)
        .where(Calibration.device_id == device_id, Calibration.day <= until, Calibration.archived.is_(False))
        .order_by(Calibration.day.desc(), Calibration.id.desc())
        .limit(1)
    )
