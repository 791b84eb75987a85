"""docs/API.md says the truth: its examples run in their order against a real server, and answer what the page shows."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud import catalogue
from cloud.blobs.store import DirectoryStore
from tests.integration.api_server import ApiServer
from tests.integration.api_world import ALL, ApiSite
from tests.integration.object_world import World

PAGE = Path(__file__).resolve().parents[2] / "docs" / "API.md"
BLOCK = re.compile(r"^```http\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples() -> list[tuple[str, str]]:
    """Each request with the answer shown below it."""
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    return list(zip(blocks[::2], blocks[1::2], strict=True))


def parts(block: str) -> tuple[str, dict[str, str], str]:
    """The first line, the headers, the body."""
    head, _, body = block.partition("\n\n")
    first, *lines = head.strip().splitlines()
    return first, dict(line.split(": ", 1) for line in lines), body.strip()


def differs(shown: Any, found: Any, place: str = "") -> Iterator[str]:
    """Where an answer is not what is shown of it; lists are shown whole but for an empty one of kinds."""
    if isinstance(shown, dict) and isinstance(found, dict):
        for name, one in shown.items():
            yield from differs(one, found.get(name, "missing"), f"{place}.{name}")
    elif isinstance(shown, list) and isinstance(found, list) and len(shown) == len(found):
        for number, (one, other) in enumerate(zip(shown, found, strict=True)):
            yield from differs(one, other, f"{place}[{number}]")
    elif shown != found and not (shown == [] and isinstance(found, list) and place == ".items"):
        yield f"{place}: {shown!r} is shown, {found!r} came"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[ApiServer]:
    folder = tmp_path_factory.mktemp("page")
    shutil.copyfile(sqlite_template, folder / "api.db")

    async def furnish(site: ApiSite) -> str:
        return await site.key((await site.role(*ALL), ""))

    world = World(catalogue.registry(), catalogue.hooks())
    with ApiServer(folder / "api.db", world, furnish, blobs=DirectoryStore(folder / "blobs")) as server:
        yield server


def test_the_examples_of_the_page_are_answered_as_it_shows(served: ApiServer) -> None:
    assert len(examples()) >= 20
    with httpx.Client(base_url=served.url.removesuffix("/api"), headers={"Authorization": f"Bearer {served.key}"}) as client:
        for request, answer in examples():
            (method, _, path), headers, body = parts(request)[0].partition(" "), *parts(request)[1:]
            given = {"Content-Type": "application/json", **headers} if body else headers
            found = client.request(method, path, headers=given, content=body.encode())
            shown, told, said = parts(answer)
            assert found.status_code == int(shown.split()[1]), (request, found.text)
            assert {name: found.headers.get(name) for name in told} == told, request
            wrong = list(differs(json.loads(said), found.json())) if said else []
            assert not wrong, (request, wrong)
            if method == "POST" and "Idempotency-Key" in headers:
                again = client.request(method, path, headers=given, content=body.encode())
                assert (again.status_code, again.json()) == (200, found.json())


def test_every_status_of_the_table_is_one_that_the_description_knows(served: ApiServer) -> None:
    table = set(re.findall(r"^\| (\d{3}) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    document = httpx.get(f"{served.url}/openapi.json", headers={"Authorization": f"Bearer {served.key}"}).json()
    operations = [one for path in document["paths"].values() for one in path.values()]
    refused = {status for one in operations for status in one["responses"] if status >= "400"}
    assert refused <= table
    assert table - refused == {"405"}
