"""The welcome email arrives even if the API is killed or Redis is unavailable for a while."""

from __future__ import annotations

import signal
from collections.abc import Mapping

from app.embedded.inbox import Inbox
from app.resources import Resources
from tests.support.http import anonymous_client
from tests.support.outages import own_valkey
from tests.support.processes import WORKER, program, running_api
from tests.support.working import until
from tests.users.people import new_user


async def sign_up(url: str) -> str:
    """Register a user, and return the address."""
    user = new_user()
    async with anonymous_client() as client:
        answer = await client.post(f"{url}/users", json=user)
    assert answer.status_code == 201
    return str(user["email"])


async def test_email_arrives_even_if_the_api_is_killed_right_after_its_response(
    resources: Resources, environ: Mapping[str, str], inbox: Inbox
) -> None:
    async with running_api(environ) as (api, url):
        address = await sign_up(url)
        api.send(signal.SIGKILL)
        await api.ended()
    async with program(*WORKER, environ=environ):
        (email,) = await inbox.wait_for(address)
    assert email.subject == "Welcome to ActiveLog: confirm your email address"


async def test_email_waits_for_redis_but_the_response_does_not(
    resources: Resources, environ: Mapping[str, str], inbox: Inbox
) -> None:
    async with own_valkey() as valkey:
        without_redis = {**environ, **valkey.settings()}
        async with (
            program(*WORKER, environ=without_redis) as worker,
            running_api(without_redis) as (_, url),
        ):
            address = await sign_up(url)
            failures = worker.output.count("relay.failed")
            await until(lambda: worker.output.count("relay.failed") > failures + 1)
            assert inbox.emails(address) == []
            await valkey.start()
            assert len(await inbox.wait_for(address)) == 1
