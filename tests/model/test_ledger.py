"""The ledger beside its model: at random, on both databases."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.ledger import LedgerMachine


def run_machine(url: str, *, examples: int, steps: int) -> None:
    machine = type("Ledger", (LedgerMachine,), {"url": url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


def test_the_ledger_holds_what_its_model_holds(sqlite_url: str) -> None:
    run_machine(sqlite_url, examples=12, steps=50)


@pytest.mark.postgres
def test_the_ledger_holds_it_on_postgres_too(postgres_url: str) -> None:
    run_machine(postgres_url, examples=4, steps=40)


@pytest.mark.deep
def test_ten_thousand_acts_leave_nothing_unaccounted_for(sqlite_url: str) -> None:
    run_machine(sqlite_url, examples=100, steps=100)


@pytest.mark.deep
@pytest.mark.postgres
def test_two_thousand_acts_on_postgres(postgres_url: str) -> None:
    run_machine(postgres_url, examples=40, steps=50)
