"""The load of a chaos run: jobs that are enqueued, and requests to an API."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import ceil
from uuid import UUID

import httpx

from app import jobs
from app.errors import Unavailable
from app.jobs import Job, JobId
from app.postgres.database import Database
from tests.support.people import person
from tests.support.processes import Program, running_api

POLL_INTERVAL_S = 0.1
REQUEST_INTERVAL_S = 0.1
REQUEST_TIMEOUT_S = 60.0
RUN = {"type": "run", "duration_s": 2700}


@dataclass(slots=True)
class Feed:
    """Enqueues jobs evenly, a few in each transaction, and records what came of it."""

    database: Database
    accepted: set[JobId] = field(default_factory=set)
    """The jobs whose transaction committed."""
    unknown: set[JobId] = field(default_factory=set)
    """The jobs whose transaction failed while it was being committed."""
    failed: set[JobId] = field(default_factory=set)
    """The jobs that were inserted, and whose transaction failed before its commit."""
    refused: int = 0
    """The jobs that could not be inserted."""

    async def run(self, work: Sequence[Job], seconds: float) -> None:
        began, offered = time.monotonic(), 0
        while offered < len(work):
            due = min(len(work), ceil((time.monotonic() - began) / seconds * len(work)))
            await self._enqueue(work[offered:due])
            offered = due
            await asyncio.sleep(POLL_INTERVAL_S)

    async def _enqueue(self, batch: Sequence[Job]) -> None:
        ids: list[JobId] = []
        outcome = self.failed
        try:
            async with self.database.transaction() as tx:
                for job in batch:
                    job_id = await jobs.enqueue(tx, job)
                    assert job_id is not None
                    ids.append(job_id)
                outcome = self.unknown
            outcome = self.accepted
        except Unavailable:
            self.refused += len(batch) - len(ids)
        outcome.update(ids)


@dataclass(slots=True)
class Requests:
    """Records activities through the API, one after another, and counts its answers."""

    url: str
    headers: Mapping[str, str]
    api: Program
    created: set[UUID] = field(default_factory=set)
    """The activities for which the answer was 201."""
    answers: Counter[str] = field(default_factory=Counter)
    longest_gap_s: float = 0
    """The longest time between two answers of 201."""

    async def run(self) -> None:
        """Send requests until cancelled."""
        last = time.monotonic()
        async with httpx.AsyncClient(headers=self.headers, timeout=REQUEST_TIMEOUT_S) as client:
            while True:
                answer = await self._post(client)
                self.answers[answer] += 1
                if answer == "201":
                    now = time.monotonic()
                    self.longest_gap_s = max(self.longest_gap_s, now - last)
                    last = now
                await asyncio.sleep(REQUEST_INTERVAL_S)

    async def _post(self, client: httpx.AsyncClient) -> str:
        started_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 86400))
        try:
            response = await client.post(
                f"{self.url}/activities", json={**RUN, "started_at": started_at}
            )
        except httpx.HTTPError as error:
            return type(error).__name__
        if response.status_code == httpx.codes.CREATED:
            self.created.add(UUID(response.json()["id"]))
        return str(response.status_code)


@asynccontextmanager
async def requests(environ: Mapping[str, str], database: Database) -> AsyncIterator[Requests]:
    """Run an API, and send it requests while the block runs."""
    async with running_api(environ) as (api, url):
        user = await person(database, "chaos")
        found = Requests(url, user.headers, api)
        sending = asyncio.create_task(found.run())
        try:
            yield found
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
