"""`python -m app bucket`: prepare the S3 bucket."""

from __future__ import annotations

from cyclopts import App

from app.cleanup import marker
from app.cleanup.statements import database_id
from app.commands.options import InjectedResources
from app.exports.export import LIFETIME, PREFIX

app = App(name="bucket", help="Prepare the S3 bucket.")


@app.command
async def prepare(*, resources: InjectedResources) -> str:
    """Create the bucket if it is missing, mark it as this database's, and set its lifecycle rules.

    It fails, and changes nothing, if the bucket belongs to another database.
    """
    await resources.bucket.create_if_missing()
    await marker.require_own_bucket(resources.bucket, await database_id(resources.database))
    await resources.bucket.set_expiry({PREFIX: LIFETIME.days})
    return (
        f"objects in {PREFIX} expire after {LIFETIME.days} days, incomplete uploads after one day"
    )


@app.command
async def adopt(*, resources: InjectedResources) -> str:
    """Mark the bucket as this database's, even if it belongs to another one."""
    ours = await database_id(resources.database)
    theirs = await marker.adopt(resources.bucket, ours)
    before = f"belonged to database {theirs}" if theirs else "had no marker"
    return f"the bucket {resources.bucket.name} {before}; now it belongs to database {ours}"
