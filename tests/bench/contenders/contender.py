"""What a benchmark needs from each contender."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from tests.bench.environment import Environment
from tests.bench.stamps import Stamps


class Work(NamedTuple):
    """A job: its number, how many seconds it sleeps, and its queue if the contender has several."""

    number: int
    seconds: float = 0
    queue: str = "default"


class Contender(Protocol):
    name: str

    @property
    def program(self) -> Sequence[str]:
        """Return the Python arguments that start a worker."""

    def environ(self, slots: int) -> Mapping[str, str]:
        """Return the environment variables for a worker with this many slots."""

    async def clear(self) -> None:
        """Remove all jobs. No worker may be running."""

    async def enqueue(self, works: Sequence[Work]) -> None:
        """Enqueue many jobs as fast as the contender can. Workers see them once this returns."""

    async def enqueue_one(self, work: Work) -> None:
        """Enqueue one job, as a request would. Return once the job has been accepted."""

    async def unfinished(self) -> int:
        """Count unfinished jobs in the contender's source of truth."""


@dataclass(frozen=True, slots=True)
class Bench:
    """The parameters that all measurements share."""

    environment: Environment
    stamps: Stamps
    contenders: Mapping[str, Contender]
    rounds: int
    quick: bool
