"""Breakers, with a clock that the tests control."""

from __future__ import annotations

from datetime import timedelta

import pytest

from worker.breakers import Breakers

LETTER, EXPORT = "email:welcome", "export:generate"


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


def test_the_wait_doubles_from_five_seconds_to_five_minutes(
    breakers: Breakers, clock: Clock
) -> None:
    waits = []
    for _ in range(8):
        waits.append(breakers.record_outage(LETTER, "smtp"))
        clock.now += waits[-1].total_seconds()
    assert waits == seconds(5, 10, 20, 40, 80, 160, 300, 300)


def test_jobs_that_fail_during_one_outage_do_not_lengthen_it(breakers: Breakers) -> None:
    assert [breakers.record_outage(LETTER, "smtp") for _ in range(3)] == seconds(5, 5, 5)


def test_while_it_is_open_the_kinds_that_need_it_are_not_tried(breakers: Breakers) -> None:
    breakers.record_outage(LETTER, "smtp")
    assert breakers.check(LETTER) == ("smtp", timedelta(seconds=5))
    assert breakers.check(EXPORT) is None


def test_after_the_wait_one_job_is_let_through(breakers: Breakers, clock: Clock) -> None:
    breakers.record_outage(LETTER, "smtp")
    clock.now += 5
    assert breakers.check(LETTER) is None
    assert breakers.check(LETTER) == ("smtp", timedelta(seconds=5))


def test_a_probe_that_tells_nothing_lets_another_through(breakers: Breakers, clock: Clock) -> None:
    breakers.record_outage(LETTER, "smtp")
    clock.now += 5
    assert breakers.check(LETTER) is None
    assert breakers.record_end(LETTER, {}) == []
    assert breakers.check(LETTER) is None
    assert breakers.check(LETTER) == ("smtp", timedelta(seconds=5))


def test_an_answer_closes_it_and_tells_what_is_back(breakers: Breakers, clock: Clock) -> None:
    breakers.record_outage(LETTER, "smtp")
    clock.now += 5
    assert breakers.check(LETTER) is None
    assert breakers.record_end(LETTER, {"smtp": clock.now}) == ["smtp"]
    assert breakers.record_end(LETTER, {"smtp": clock.now}) == []
    assert breakers.record_outage(LETTER, "smtp") == timedelta(seconds=5)


def test_an_answer_to_any_kind_closes_it_and_one_of_another_dependency_does_not(
    breakers: Breakers, clock: Clock
) -> None:
    breakers.record_outage(LETTER, "smtp")
    clock.now += 1
    assert breakers.record_end(EXPORT, {"s3": clock.now}) == []
    assert breakers.record_end(EXPORT, {"smtp": clock.now}) == ["smtp"]
    assert breakers.check(LETTER) is None


def test_an_answer_from_before_the_outage_does_not_close_it(
    breakers: Breakers, clock: Clock
) -> None:
    answered = clock.now
    clock.now += 1
    breakers.record_outage(LETTER, "smtp")
    assert breakers.record_end(LETTER, {"smtp": answered}) == []
    assert breakers.check(LETTER) == ("smtp", timedelta(seconds=5))


def test_a_job_that_meets_another_outage_lets_the_first_be_tried_again(
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
