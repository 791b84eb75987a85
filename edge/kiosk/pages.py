"""Pages and their parts as HTML. Templates get the state, the words of one language, and nothing that they could change."""

import json
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from edge.jobs.movement.words import REASONS as SMALL_REASONS
from edge.jobs.news import Outcome, Sound
from edge.jobs.reasons import REASONS
from edge.jobs.weighing import WeightState
from edge.kiosk.assets import Assets
from edge.kiosk.health import Figure
from edge.kiosk.state import StationState
from edge.kiosk.texts import Words, day, isolated, ltr
from sync_protocol.masters import Person

SHAPES: Final = {Sound.ACCEPTED: "✔", Sound.REJECTED: "✖", Sound.LOOK_HERE: "!"}
"""The mark beside every outcome: colour alone is not seen by one man in ten."""


def words_for_scripts(words: Words) -> str:
    """The texts that scripts set, as JSON: the states of the scale and why a weight cannot be taken."""
    states = [state.value for state in WeightState] + ["stale"]
    blocks = [state.value for state in WeightState if state is not WeightState.STABLE] + ["not_positive", "stale"]
    return json.dumps(
        {
            "states": {state: words.plain(f"weight.{state}") for state in states},
            "blocks": {block: words.plain(f"block.{block}") for block in blocks},
            "units": {unit: words.unit(unit) for unit in ("g", "mg", "kg", "t", "[lb_av]", "[oz_av]")},
            "hebrew": words.locale == "he",
        }
    )


class Pages:
    """Renders; holds no state of its own."""

    def __init__(self, assets: Assets) -> None:
        self._env = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._env.filters |= {"ltr": ltr, "isolated": isolated, "day": day}
        self._env.globals |= {"asset": assets.url, "REASONS": REASONS, "SHAPES": SHAPES, "SMALL_REASONS": SMALL_REASONS}

    def work(self, state: StationState, words: Words, *, csrf: str, cmd: str, outcome: Outcome | None) -> str:
        """The whole page of a signed-in operator."""
        return self._render("work.html", state=state, w=words, csrf=csrf, cmd=cmd, outcome=outcome, **_scripts(words))

    def signin(
        self,
        state: StationState,
        words: Words,
        people: list[Person],
        *,
        refused: str | None = None,
        wait_s: int | None = None,
        chosen: str = "",
    ) -> str:
        """The page that asks who is there."""
        return self._render("signin.html", state=state, w=words, people=people, refused=refused, wait_s=wait_s, chosen=chosen)

    def panel(self, state: StationState, words: Words, *, csrf: str, cmd: str) -> str:
        """The part that shows the job or what waits, swapped when it changes."""
        return self._render("panel.html", state=state, w=words, csrf=csrf, cmd=cmd)

    def facts(self, state: StationState, words: Words) -> str:
        """The footer's three facts."""
        return self._render("facts.html", state=state, w=words)

    def health(self, state: StationState, words: Words, figures: list[Figure]) -> str:
        """The page for technicians."""
        return self._render("health.html", state=state, w=words, figures=figures)

    def outcome(self, outcome: Outcome | None, words: Words) -> str:
        """How the last scan or press ended."""
        return self._render("outcome.html", outcome=outcome, w=words)

    def _render(self, name: str, **values: Any) -> str:
        return self._env.get_template(name).render(**values)


def _scripts(words: Words) -> dict[str, Markup]:
    # The text stands inside a script element: a closing tag must not be able to appear in it.
    return {"script_words": Markup(words_for_scripts(words).replace("<", "\\u003c"))}  # noqa: S704 - escaped above
