"""The queues, and where they lie in Redis: under arq's own keys, which a stock worker can serve."""

from __future__ import annotations

from typing import get_args

from app.jobs.job import Queue

QUEUES: tuple[Queue, ...] = get_args(Queue)

BELL = "activelog:bell"
"""A list that holds an item while jobs wait that nobody has been woken for."""

EPOCH = "activelog:epoch"
"""Exists as long as Redis has not lost what it held."""


JOB_KEY = "arq:job:"
"""Before the id: the key under which arq looks for what to call."""


def queue_key(queue: str) -> str:
    """The sorted set of the ids that wait, scored by when they became due."""
    return f"arq:queue:{queue}"


def low_slots(slots: int) -> int:
    """How many slots the long jobs of `low` may hold: 6 of 10, and always at least one."""
    return max(1, slots * 6 // 10)
