"""Many records at once: rows by another system's keys, lists as files, and definitions that programs write."""

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from openpyxl import load_workbook

from cloud.db.engine import Sessions
from tests.integration.api_world import ApiSite, open_site
from tests.integration.conftest import TurnedClock
from tests.integration.object_world import make_world

MINE = """
key: x_parcel
label: {en: Parcel, he: חבילה}
plural: {en: Parcels, he: חבילות}
fields:
  weight: {type: decimal, unit: kg, decimals: 3, min: 0}
  to: {type: ref, object: company}
"""
YAML = {"Content-Type": "application/yaml"}


@pytest.fixture
async def site(tmp_path: Path, sessions: Sessions, clock: TurnedClock) -> ApiSite:
    return await open_site(sessions, make_world(tmp_path), clock)


@pytest.fixture
async def api(site: ApiSite) -> AsyncIterator[httpx.AsyncClient]:
    async with site.program() as client:
        yield client


async def test_rows_of_another_system_make_and_change(api: httpx.AsyncClient) -> None:
    rows = [{"key": f"K{one}", "values": {"name": f"n{one}"}} for one in range(3)]
    first = await api.post("/import/company", json={"source": "priority", "rows": rows})
    assert first.status_code == 200, first.text
    assert [(one["key"], one["done"], one["ref"]) for one in first.json()["items"]] == [
        ("K0", "made", "C-0001"), ("K1", "made", "C-0002"), ("K2", "made", "C-0003"),
    ]  # fmt: skip
    rows[1]["values"] = {"name": "n1", "city": "Haifa", "parent": {"key": "K0"}}
    again = (await api.post("/import/company", json={"source": "priority", "rows": rows})).json()
    assert [one["done"] for one in again["items"]] == ["same", "changed", "same"]
    by_key = await api.get("/o/company/by/priority/K1")
    assert by_key.json()["values"]["parent"] == "C-0001"
    assert (await api.put("/o/company/by/priority/K1", json={"values": {"city": "Acre"}})).status_code == 200
    assert len((await api.get("/o/company")).json()["items"]) == 3


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_one_faulty_row_stops_all_or_is_left_out(api: httpx.AsyncClient) -> None:
    rows = [{"key": "A", "values": {"name": "a"}}, {"key": "B", "values": {"city": "x"}}, {"key": "", "values": {}}]
    whole = await api.post("/import/company", json={"source": "erp", "rows": rows})
    assert (whole.status_code, whole.json()["code"]) == (422, "not_whole")
    assert {(one["key"], one["field"], one["code"]) for one in whole.json()["errors"]} == {
        ("B", "name", "required"), ("", "source_key", "import_key_empty"),
    }  # fmt: skip
    assert (await api.get("/o/company")).json()["items"] == []
    good = (await api.post("/import/company", json={"source": "erp", "rows": rows, "policy": "good"})).json()
    assert ([one["done"] for one in good["items"]], good["faulty"]) == (["made", "faulty", "faulty"], 2)
    assert len((await api.get("/o/company")).json()["items"]) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"rows": []}, "import_source_missing"),
        ({"source": "x", "rows": [{"key": "1", "vals": {}}]}, "bad_member"),
        ({"source": "x", "rows": [1]}, "bad_member"),
        ({"source": "x", "rows": {}}, "bad_member"),
        ({"source": "x", "rows": [{"key": "1"}] * 1001}, "import_at_once"),
        ({"source": "x", "policy": "some"}, "bad_option"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_rows_of_the_wrong_form_are_refused(api: httpx.AsyncClient, body: dict[str, object], code: str) -> None:
    answer = await api.post("/import/company", json=body)
    assert (answer.status_code in {400, 422}, answer.json()["code"]) == (True, code)


async def test_a_list_is_given_away_as_a_file(api: httpx.AsyncClient) -> None:
    for one in range(3):
        await api.post("/o/company", json={"values": {"name": f"n{one}", "city": "=1+1", "credit": one}})
    as_csv = await api.get("/export/company.csv", params={"filter": "credit > 0", "sort": "-name"})
    assert as_csv.status_code == 200
    assert as_csv.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="company.csv"' in as_csv.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(as_csv.content.decode("utf-8-sig"))))
    assert [(one["name"], one["city"]) for one in rows] == [("n2", "'=1+1"), ("n1", "'=1+1")]
    as_xlsx = await api.get("/export/company.xlsx")
    book = load_workbook(io.BytesIO(as_xlsx.content))
    assert book.active is not None
    assert book.active.max_row == 5
    book.close()
    for path, status in (
        ("/export/company.pdf", 404), ("/export/nobody.csv", 404), ("/export/company.csv?filter=1%2B", 400),
        ("/export/company.csv?limit=1", 400),
    ):  # fmt: skip
        refused = await api.get(path)
        assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json"), path


async def test_a_kind_of_ones_own_is_defined_used_and_widened(api: httpx.AsyncClient) -> None:
    made = await api.put("/defs/x_parcel", content=MINE, headers={**YAML, "If-Match": '"0"'})
    assert (made.status_code, made.headers["etag"]) == (201, '"1"'), made.text
    parcel = await api.post("/o/x_parcel", json={"values": {"weight": "1.250"}})
    assert (parcel.status_code, parcel.json()["values"]) == (201, {"weight": "1.25", "to": None})
    wider = MINE + "  fragile: {type: bool}\n"
    old = await api.put("/defs/x_parcel", content=wider, headers={**YAML, "If-Match": '"0"'})
    assert (old.status_code, old.headers["etag"]) == (412, '"1"')
    assert (await api.put("/defs/x_parcel", content=wider, headers=YAML)).status_code == 428
    assert (await api.put("/defs/x_parcel", content=wider, headers={**YAML, "If-Match": '"1"'})).status_code == 200
    read = await api.get("/defs/x_parcel")
    assert (read.headers["etag"], read.json()["text"]) == ('"2"', wider)
    assert [one["key"] for one in read.json()["fields"]] == ["weight", "to", "fragile"]
    document = (await api.get("/openapi.json")).json()
    assert "fragile" in document["components"]["schemas"]["x_parcel"]["properties"]["values"]["properties"]
    assert (await api.get("/defs/x_parcel", headers={"If-None-Match": '"2"'})).status_code == 304


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_is_wrong_with_a_definition_is_said_with_its_line(api: httpx.AsyncClient) -> None:
    wrong = MINE + '  cost: {type: money, compute: "wieght * 2"}\n'
    answer = await api.put("/defs/x_parcel", content=wrong, headers={**YAML, "If-Match": '"0"'})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_definition")
    assert [(one["field"], one["line"], one["column"]) for one in answer.json()["errors"]] == [("fields.cost.compute", 8, 1)]
    other = await api.put("/defs/x_box", content=MINE, headers={**YAML, "If-Match": '"0"'})
    assert [(one["code"], one["line"]) for one in other.json()["errors"]] == [("other_key", 2)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_definitions_are_for_those_who_may_configure(site: ApiSite) -> None:
    async with site.program(("company", "read")) as reader:
        assert "text" not in (await reader.get("/defs/company")).json()
        assert (await reader.get("/defs/visit")).status_code == 404
        answer = await reader.put("/defs/x_parcel", content=MINE, headers={**YAML, "If-Match": '"0"'})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert [one["key"] for one in (await reader.get("/defs")).json()["items"]] == ["company"]
