"""The state diagrams of docs/KERNEL.md, made from the definitions and machines that are shipped.

`python -m tests.arch.kernel_tables` writes them into the page.
"""

from pathlib import Path

from cloud.catalogue import SHIPPED
from cloud.objects.definition import ObjectDef
from cloud.objects.registry import Registry

PAGE = Path(__file__).resolve().parents[2] / "docs" / "KERNEL.md"
BEGIN, END = "<!-- machines: made by tests/arch/kernel_tables.py -->\n", "<!-- end of machines -->"


def diagrams() -> str:
    """One Mermaid diagram for every kind with states."""
    found = [diagram(one) for one in Registry(SHIPPED).plain().definitions.values() if one.states]
    return BEGIN + "\n".join(found) + END


def diagram(definition: ObjectDef) -> str:
    lines = [f"**{definition.plural.en}**\n", "```mermaid", "stateDiagram-v2", f"    [*] --> {definition.states[0].key}"]
    for one in definition.transitions:
        moves = _moves(definition, one.key)
        lines += [f"    {source} --> {one.target if moves else source}: {one.key}" for source in one.sources]
    return "\n".join([*lines, "```", ""])


def _moves(definition: ObjectDef, action: str) -> bool:
    """Whether the action leads elsewhere: a coded one may be taken in several states and stay in each."""
    rows = [one for one in definition.transitions if one.key == action]
    return not any(one.target in one.sources for one in rows)


def page_with(text: str) -> str:
    """The page with the diagrams as they are now."""
    before, _, rest = text.partition(BEGIN)
    return before + diagrams() + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
