"""The share of starts that each queue gets while all queues are full."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tests.bench.contenders.activelog import ActiveLog
from tests.bench.contenders.contender import Bench, Work
from tests.bench.workers import worker

QUEUES = ("critical", "default", "low")


async def shares_of_starts(
    bench: Bench, contender: ActiveLog, *, starts: int, slots: int
) -> Mapping[str, float]:
    """Return each queue's share of the first `starts` starts, in percent. All queues stay full."""
    await contender.clear()
    bench.stamps.clear()
    await contender.enqueue(
        [
            Work(index * starts + number, queue=queue)
            for number in range(starts)
            for index, queue in enumerate(QUEUES)
        ]
    )
    async with worker(bench, contender, slots):
        await bench.stamps.reach(starts)
    seen = Counter(stamp.number // starts for stamp in bench.stamps.starts()[:starts])
    return {queue: 100 * seen[index] / starts for index, queue in enumerate(QUEUES)}
