"""What a worker takes on, and how it ends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from app.environment import SettingsError, Variables


@dataclass(frozen=True, slots=True)
class Worker:
    slots: int
    metrics_port: int
    """0: not served."""
    shutdown_grace: timedelta
    queue_weights: Mapping[str, int]

    @classmethod
    def from_env(cls, env: Variables) -> Worker:
        return cls(
            slots=env.number("WORKER_SLOTS", 10, 1, 1000),
            metrics_port=env.number("METRICS_PORT", 9100, 0, 65535),
            shutdown_grace=timedelta(seconds=env.number("SHUTDOWN_GRACE", 30, 0, 3600)),
            queue_weights=_queue_weights(env),
        )


def _queue_weights(env: Variables) -> Mapping[str, int]:
    """`critical=6,default=3,low=1`: every queue of ours once, each with a weight from 1 to 1000."""
    name, queues = "QUEUE_WEIGHTS", ("critical", "default", "low")
    text = env.text(name, "critical=6,default=3,low=1")
    pairs = [pair.strip().partition("=") for pair in text.split(",")]
    weights = {queue: weight for queue, _, weight in pairs}
    if len(pairs) != len(queues) or set(weights) != set(queues):
        raise SettingsError(name, f"must give {', '.join(queues)} one weight each")
    if not all(re.fullmatch(r"[1-9]\d{0,2}|1000", weight) for weight in weights.values()):
        raise SettingsError(name, "takes whole numbers from 1 to 1000")
    return {queue: int(weights[queue]) for queue in queues}
