"""`python -m app bucket`: prepare the S3 bucket."""

from __future__ import annotations

from cyclopts import App

from app.commands.options import InjectedResources
from app.exports.export import LIFETIME, PREFIX

app = App(name="bucket", help="Prepare the S3 bucket.")


@app.command
async def prepare(*, resources: InjectedResources) -> str:
    """Create the bucket if it is missing, and set its lifecycle rules."""
    await resources.bucket.create_if_missing()
    await resources.bucket.set_expiry({PREFIX: LIFETIME.days})
    return (
        f"objects in {PREFIX} expire after {LIFETIME.days} days, incomplete uploads after one day"
    )
