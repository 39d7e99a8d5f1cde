"""What the measuring needs of a side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from tests.bench.environment import Ground
from tests.bench.stamps import Stamps


class Work(NamedTuple):
    """A job: its number, how long it sleeps, and a queue for those that have several."""

    number: int
    seconds: float = 0
    queue: str = "default"


class Side(Protocol):
    name: str

    @property
    def program(self) -> Sequence[str]:
        """The arguments of Python that start a worker."""

    def environ(self, slots: int) -> Mapping[str, str]:
        """What a worker with that many slots finds in its environment."""

    async def clear(self) -> None:
        """Forget all jobs. No worker runs."""

    async def enqueue(self, works: Sequence[Work]) -> None:
        """Many at once, by its best means; they are where workers look when this returns."""

    async def enqueue_one(self, work: Work) -> None:
        """As a request would, on its own. Returns when the job is accepted."""

    async def unfinished(self) -> int:
        """How many jobs are not finished, in what the side takes for the truth."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What every measurement needs."""

    ground: Ground
    stamps: Stamps
    sides: Mapping[str, Side]
    rounds: int
    quick: bool
