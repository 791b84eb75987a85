"""`tallybox cloud boxes`: where every box stands."""

import dataclasses
import json
from datetime import timedelta
from typing import TYPE_CHECKING

from cloud.cli.session import Database, Json, within

if TYPE_CHECKING:
    from cloud.ingest.overview import BoxOverview


def boxes(db: Database, as_json: Json = False) -> None:
    """Every box: when it called, how far its journal is here, what waits on it, its clock, what was kept aside."""
    from cloud.clock import system_clock
    from cloud.ingest.overview import overview

    found = within(db, lambda session: overview(session, system_clock()))
    if as_json:
        print(json.dumps([dataclasses.asdict(one) for one in found], ensure_ascii=False))
        return
    for one in found:
        print("\n".join(_lines(one)))
    if not found:
        print("no box is registered")


def _lines(one: "BoxOverview") -> list[str]:
    lines = [
        f"{one.id}  {one.name}  [{one.status}]  station {one.station or '-'}",
        f"  called {_ago(one.seen_s)}; {one.entries} entries of {one.runs} runs are here"
        + (f", the newest is {one.newest_run}" if one.newest_run else ""),
    ]
    if one.health is not None:
        oldest = one.health.get("oldest_unacked_s")
        waits = f"{one.health['unacked']} entries waited on it" + (
            "" if oldest is None else f", the oldest for {_span(oldest)}"
        )
        err = "" if one.clk_err_ms is None else f" within {one.clk_err_ms} ms"
        lines.append(f"  said {_ago(one.health_s)}: {waits}; clock {one.clk}{err}; disk {one.health['disk_level']}")
    if one.aside:
        lines.append(f"  ! {one.aside} frames were kept aside")
    return lines


def _ago(seconds: float | None) -> str:
    return "never" if seconds is None else f"{_span(seconds)} ago"


def _span(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
