"""The interface does what its own description says, whatever is sent: no failure of ours, every refusal a problem document."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cloud import catalogue
from cloud.blobs.store import DirectoryStore
from cloud.masters.demo import load_demo
from cloud.objects import service
from tests.integration.api_server import ApiServer
from tests.integration.api_world import ALL, ApiSite
from tests.integration.object_world import World, make_world

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
REFUSED = ["400", "403", "404", "405", "409", "412", "413", "415", "422", "428"]
CONFIG = schemathesis.Config.from_dict({"checks": {"negative_data_rejection": {"expected-statuses": REFUSED}}})


async def furnish(site: ApiSite) -> str:
    """One record of each kind, and a key that opens everything."""
    async with site.sessions.write() as session:
        at = await site.world.caller(session)
        await service.create(at, "company", {"name": "A"})
        await service.create(at, "visit", {"subject": "x", "company": "C-0001"})
    return await site.key((await site.role(*ALL), ""))


async def furnish_shipped(site: ApiSite) -> str:
    """The demo's master data, and a lead."""
    async with site.sessions.write() as session:
        await load_demo(session, site.taken, pins={}, passwords={})
        await service.create(await site.world.caller(session), "lead", {"name": "x", "source": "fair", "phone": "1"})
    return await site.key((await site.role(*ALL), ""))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[ApiServer]:
    folder = tmp_path_factory.mktemp("shipped")
    shutil.copyfile(sqlite_template, folder / "api.db")
    world = World(catalogue.registry(), catalogue.hooks())
    with ApiServer(folder / "api.db", world, furnish_shipped, blobs=DirectoryStore(folder / "blobs")) as server:
        yield server


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[ApiServer]:
    folder = tmp_path_factory.mktemp("api")
    shutil.copyfile(sqlite_template, folder / "api.db")
    with ApiServer(folder / "api.db", make_world(folder), furnish) as server:
        yield server


MANY = 50
"""From here on also records that are not there are asked for."""


def headers(served: ApiServer) -> dict[str, str]:
    return {"Authorization": f"Bearer {served.key}"}


def asked(served: ApiServer, examples: int, mode: schemathesis.GenerationMode) -> None:
    """Every operation with generated requests: to records that are there, and to any."""
    document = requests.get(f"{served.url}/openapi.json", headers=headers(served), timeout=20).json()
    document["security"] = []
    there = {kind: first_of(served, kind) for kind in document["components"]["schemas"] if f"/o/{kind}" in document["paths"]}
    nothing_to_get_wrong = set()
    for found in schemathesis.openapi.from_dict(document, config=CONFIG).get_all_operations():
        operation = found.ok()
        kind = operation.path.split("/")[2] if operation.path.count("/") > 1 else ""
        ref = {"ref": there[kind]} if there.get(kind) and "{ref}" in operation.path else None
        for path_parameters in [ref, None] if ref and examples >= MANY else [ref]:
            try:
                run(served, operation, examples, mode, path_parameters)
            except Unsatisfiable:
                nothing_to_get_wrong.add(operation.path.rpartition("/")[2])
    wrong = {"o", "defs", "openapi.json", "actions", "files"} if mode is schemathesis.GenerationMode.NEGATIVE else set()
    assert nothing_to_get_wrong == wrong


def first_of(served: ApiServer, kind: str) -> str:
    """The number of a record of the kind, for paths that lead to one; "" where there is none."""
    items = requests.get(f"{served.url}/o/{kind}?limit=1&sort=ref", headers=headers(served), timeout=20).json()["items"]
    return items[0]["ref"] if items else ""


def run(
    served: ApiServer, operation: Any, examples: int, mode: schemathesis.GenerationMode, path_parameters: dict[str, str] | None
) -> None:
    checks = [*CHECKS, *([negative_data_rejection] if mode is schemathesis.GenerationMode.NEGATIVE else [])]

    @settings(max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode, path_parameters=path_parameters))
    def one(case: schemathesis.Case) -> None:
        if mode is schemathesis.GenerationMode.NEGATIVE:
            # What was made by a key before is answered whatever else is sent now.
            case.headers = {name: value for name, value in (case.headers or {}).items() if name.lower() != "idempotency-key"}
        answer = case.call(base_url=served.url, session=session, headers=headers(served))
        case.validate_response(answer, checks=checks)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == ["application/problem+json"], answer.headers

    with requests.Session() as session:
        one()


def test_right_requests_are_answered_as_described(served: ApiServer) -> None:
    asked(served, 3, schemathesis.GenerationMode.POSITIVE)


def test_wrong_requests_are_refused_as_described(served: ApiServer) -> None:
    asked(served, 3, schemathesis.GenerationMode.NEGATIVE)


@pytest.mark.deep
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE])
def test_many_requests_are_answered_as_described(served: ApiServer, mode: schemathesis.GenerationMode) -> None:
    asked(served, 2 * MANY, mode)


@pytest.mark.deep
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE])
def test_shipped_kinds_are_answered_as_described(shipped: ApiServer, mode: schemathesis.GenerationMode) -> None:
    asked(shipped, 5, mode)
