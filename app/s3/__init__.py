"""S3 through aioboto3: one bucket, opened once per process."""

from app.s3.bucket import Bucket, Head, ListedObject
from app.s3.client import Timeouts, open_bucket
from app.s3.upload import StoredObject, Upload

__all__ = ["Bucket", "Head", "ListedObject", "StoredObject", "Timeouts", "Upload", "open_bucket"]
