"""What the pages show and how they are filtered, over real records."""

import csv
import io

import httpx
import pytest

from tests.unit.cloud_web.office import Refs


@pytest.mark.parametrize("path", ["/", "/receipts", "/boxes"])
async def test_page_answers_in_the_persons_language(noa: httpx.AsyncClient, path: str) -> None:
    page = await noa.get(path)
    assert page.status_code == 200
    assert '<html lang="he" dir="rtl">' in page.text


async def test_every_receipt_has_a_page(noa: httpx.AsyncClient, refs: Refs) -> None:
    for name in refs.__slots__:
        page = await noa.get(f"/receipts/{getattr(refs, name)}")
        assert page.status_code == 200, name
