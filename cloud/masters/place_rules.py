"""What holds for sites, stations, locations, devices, calibrations and label layouts beyond their definitions."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.base import Base
from cloud.errors import Refused
from cloud.kernel.actor import Taken
from cloud.masters.calibrations import refresh_device
from cloud.masters.labels import read_label, rules_of
from cloud.masters.models import Calibration, Device, LabelLayout, Location, Site, Station
from cloud.masters.moved import keep_usage
from cloud.masters.product_rules import in_order, needs_role
from cloud.masters.trees import refuse_circle
from sync_protocol.errors import TextFault
from sync_protocol.quantity import Quantity, decimal

TODAY_ANYWHERE = timedelta(hours=14)
"""UTC+14: a day that has begun nowhere yet is in the future."""


async def before_site(_session: AsyncSession, row: Site, _changes: Mapping[str, Any], _taken: Taken) -> None:
    """The zone is one that is known."""
    try:
        ZoneInfo(row.tz or "")
    except (ZoneInfoNotFoundError, ValueError) as exc:
        raise Refused("zone_unknown", field="tz", zone=str(row.tz)[:60]) from exc


async def before_station(session: AsyncSession, row: Station, _changes: Mapping[str, Any], _taken: Taken) -> None:
    """Goods are put down at the station's own site."""
    if row.location_id is not None:
        site = await session.scalar(select(Location.site_id).where(Location.id == row.location_id))
        if site != row.site_id:
            raise Refused("other_site", field="location")


async def before_location(session: AsyncSession, row: Location, changes: Mapping[str, Any], _taken: Taken) -> None:
    """A tree inside one site."""
    in_order(row.temp_min, row.temp_max, "temp_max")
    await needs_role(session, row.owner_id, ("owner", "house", "customer"), "only_for")
    if "usage" in changes:
        await keep_usage(session, row)
    if not {"parent", "site"} & changes.keys():
        return
    if row.parent_id is not None:
        site = await session.scalar(select(Location.site_id).where(Location.id == row.parent_id))
        if site != row.site_id:
            raise Refused("other_site", field="parent")
        await refuse_circle(session, "location", (Location.id, Location.parent_id), row.id, row.parent_id)
    if row.id is not None and "site" in changes:
        elsewhere = (Location.parent_id == row.id, Location.site_id != row.site_id)
        below = await session.scalar(select(Location.code).where(*elsewhere).limit(1))
        if below is not None:
            raise Refused("other_site", field="site", ref=below)


async def before_device(session: AsyncSession, row: Device, changes: Mapping[str, Any], _taken: Taken) -> None:
    """The box is there, and calls one device by one name."""
    if row.box_id is None:
        if row.box_device is not None:
            raise Refused("device_needs_box", field="box")
        return
    if "box" in changes:
        box = Base.metadata.tables["box"]
        known = await session.scalar(select(box.c.id).where(box.c.id == row.box_id))
        if known is None:
            raise Refused("box_unknown", field="box", ref=row.box_id[:40])
    if row.box_device is not None and {"box", "box_device"} & changes.keys():
        other = await session.scalar(
            select(Device.code).where(
                Device.box_id == row.box_id, Device.box_device == row.box_device, Device.id != (row.id or 0)
            )
        )
        if other is not None:
            raise Refused("device_taken", field="box_device", ref=other)


async def before_calibration(_session: AsyncSession, row: Calibration, _changes: Mapping[str, Any], taken: Taken) -> None:
    """It was done, it ends after it began, and its weights are amounts."""
    if row.day > (taken.at + TODAY_ANYWHERE).date():
        raise Refused("day_in_future", field="day")
    in_order(row.day, row.due, "due")
    for place, weight in enumerate(row.weights or [], 1):
        try:
            for name in ("nominal", "shown", "allowed"):
                if weight.get(name):
                    Quantity(decimal(str(weight[name])), str(weight.get("unit") or "kg"))
        except TextFault as exc:
            raise Refused("weight_form", field="weights", row=str(place)) from exc


async def after_calibration(session: AsyncSession, row: Calibration, _changes: Mapping[str, Any], _taken: Taken) -> None:
    """The device says at once until when it is calibrated."""
    await refresh_device(session, row.device_id)


async def before_layout(session: AsyncSession, row: LabelLayout, _changes: Mapping[str, Any], _taken: Taken) -> None:
    """The rules can be read, and read their own example."""
    row.edition = row.edition or 1
    await needs_role(session, row.party_id, ("supplier", "carrier", "owner"), "party")
    try:
        rules = rules_of(row.rules or [])
    except Refused as exc:
        raise Refused(exc.code, **{**exc.values, "field": "rules"}) from exc
    try:
        read_label(rules, row.example or "")
    except Refused as exc:
        raise Refused("label_example", field="example", part=exc.values.get("field", "")) from exc


async def after_layout(session: AsyncSession, row: LabelLayout, _changes: Mapping[str, Any], _taken: Taken) -> None:
    """Of one name one edition is in use."""
    if row.in_use:
        await session.execute(
            update(LabelLayout)
            .where(LabelLayout.party_id == row.party_id, LabelLayout.name == row.name, LabelLayout.id != row.id)
            .values(in_use=False)
        )
