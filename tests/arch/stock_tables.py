"""The state diagram of lots in docs/STOCK.md. `python -m tests.arch.stock_tables` writes it into the page."""

from pathlib import Path

from cloud.catalogue import SHIPPED
from cloud.objects.registry import Registry
from tests.arch.kernel_tables import diagram

PAGE = Path(__file__).resolve().parents[2] / "docs" / "STOCK.md"
BEGIN, END = "<!-- lot: made by tests/arch/stock_tables.py -->\n", "<!-- end of lot -->"


def page_with(text: str) -> str:
    """The page with the diagram as it is now."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + diagram(Registry(SHIPPED).plain().definitions["lot"]) + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
