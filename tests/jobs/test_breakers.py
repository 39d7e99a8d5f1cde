"""Breakers, with a clock that the tests control."""

from __future__ import annotations

from datetime import timedelta

import pytest

from worker.breakers import Breakers

WELCOME, EXPORT = "email:welcome", "export:generate"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breakers(clock: Clock) -> Breakers:
    return Breakers(clock, lambda: 0.0)


def seconds(*waits: float) -> list[timedelta]:
    return [timedelta(seconds=wait) for wait in waits]


def test_breaker_wait_doubles_from_five_seconds_to_five_minutes(
    breakers: Breakers, clock: Clock
) -> None:
    waits = []
    for _ in range(8):
        waits.append(breakers.record_outage(WELCOME, "smtp"))
        clock.now += waits[-1].total_seconds()
    assert waits == seconds(5, 10, 20, 40, 80, 160, 300, 300)


def test_further_jobs_that_run_into_the_outage_do_not_lengthen_the_wait(breakers: Breakers) -> None:
    assert [breakers.record_outage(WELCOME, "smtp") for _ in range(3)] == seconds(5, 5, 5)


def test_open_breaker_blocks_only_kinds_that_have_run_into_its_outage(breakers: Breakers) -> None:
    breakers.record_outage(WELCOME, "smtp")
    assert breakers.check(WELCOME) == ("smtp", timedelta(seconds=5))
    assert breakers.check(EXPORT) is None


def test_one_job_is_let_through_as_a_probe_after_the_wait(breakers: Breakers, clock: Clock) -> None:
    breakers.record_outage(WELCOME, "smtp")
    clock.now += 5
    assert breakers.check(WELCOME) is None
    assert breakers.check(WELCOME) == ("smtp", timedelta(seconds=5))


def test_probe_that_ends_without_a_response_is_followed_by_another_probe(
    breakers: Breakers, clock: Clock
) -> None:
    breakers.record_outage(WELCOME, "smtp")
    clock.now += 5
    assert breakers.check(WELCOME) is None
    assert breakers.record_end(WELCOME, {}) == []
    assert breakers.check(WELCOME) is None
    assert breakers.check(WELCOME) == ("smtp", timedelta(seconds=5))


def test_response_to_a_probe_closes_the_breaker_and_resets_its_wait(
    breakers: Breakers, clock: Clock
) -> None:
    breakers.record_outage(WELCOME, "smtp")
    clock.now += 5
    assert breakers.check(WELCOME) is None
    assert breakers.record_end(WELCOME, {"smtp": clock.now}) == ["smtp"]
    assert breakers.record_end(WELCOME, {"smtp": clock.now}) == []
    assert breakers.record_outage(WELCOME, "smtp") == timedelta(seconds=5)


def test_breaker_closes_when_its_own_dependency_responds_to_a_job_of_any_kind(
    breakers: Breakers, clock: Clock
) -> None:
    breakers.record_outage(WELCOME, "smtp")
    clock.now += 1
    assert breakers.record_end(EXPORT, {"s3": clock.now}) == []
    assert breakers.record_end(EXPORT, {"smtp": clock.now}) == ["smtp"]
    assert breakers.check(WELCOME) is None


def test_response_from_before_the_outage_does_not_close_the_breaker(
    breakers: Breakers, clock: Clock
) -> None:
    answered = clock.now
    clock.now += 1
    breakers.record_outage(WELCOME, "smtp")
    assert breakers.record_end(WELCOME, {"smtp": answered}) == []
    assert breakers.check(WELCOME) == ("smtp", timedelta(seconds=5))


def test_dependency_is_probed_again_if_its_probe_ran_into_the_outage_of_another_one(
    breakers: Breakers, clock: Clock
) -> None:
    breakers.record_outage(EXPORT, "smtp")
    breakers.record_outage(EXPORT, "s3")
    clock.now += 5
    assert breakers.check(EXPORT) is None
    breakers.record_outage(EXPORT, "s3")
    assert breakers.record_end(EXPORT, {}) == []
    clock.now += 10
    assert breakers.check(EXPORT) is None
