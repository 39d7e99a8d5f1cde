"""Problem types (RFC 9457): failures that have the same status, but need different responses.

Each has a page at `/problems/<name>`. To add one, add a constant and pass it to the failure:
`Conflict("You are already friends.", problem=problems.ALREADY_FRIENDS)`. Names are part of the API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

PREFIX = "/problems/"


class ProblemType(NamedTuple):
    """A problem type, with the text of its page."""

    name: str
    title: str
    cause: str
    remedy: str

    @property
    def uri(self) -> str:
        """A relative reference. It is resolved against the URL of the request."""
        return PREFIX + self.name


ADDRESS_SUPPRESSED = ProblemType(
    "address_suppressed",
    "No email is sent to this address",
    "We no longer send email to your address, because emails to it bounced or someone asked us to"
    " stop.",
    "Contact the operator of this service, who can allow emails to your address again.",
)
ADDRESS_TAKEN = ProblemType(
    "address_taken",
    "Address taken",
    "Another account already has this email address.",
    "Sign in to that account, or request a password reset if you have forgotten its password."
    " Otherwise sign up with another address.",
)
ALREADY_CONFIRMED = ProblemType(
    "already_confirmed",
    "Address already confirmed",
    "You requested a confirmation email, but your email address is already confirmed.",
    "There is nothing left to do.",
)
ALREADY_FRIENDS = ProblemType(
    "already_friends",
    "Already friends",
    "You sent a friend request to someone who is already your friend.",
    "There is nothing left to do: your list of friends includes them.",
)
EXPORT_FAILED = ProblemType(
    "export_failed",
    "Export failed",
    "The export could not be made, so there is no file. Its status says why.",
    "Request the export again.",
)
EXPORT_NOT_READY = ProblemType(
    "export_not_ready",
    "Export not ready",
    "The export is still being made.",
    "Follow its status, and download it when the status is completed.",
)
EXPORTS_IN_PROGRESS = ProblemType(
    "exports_in_progress",
    "Too many exports in progress",
    "You already have as many unfinished exports as one person may have.",
    "Wait until one of them is finished, or delete one, and request this one again.",
)
FILE_BEING_RECREATED = ProblemType(
    "file_being_recreated",
    "File being recreated",
    "The file is missing or damaged. We are creating it again.",
    "Try again in a minute.",
)
REQUEST_IN_PROGRESS = ProblemType(
    "request_in_progress",
    "First request still in progress",
    "Another request with the same Idempotency-Key has not finished yet.",
    "Send the same request again in a few seconds: you get the response to the first one.",
)
STORAGE_FULL = ProblemType(
    "storage_full",
    "No room for more photos",
    "All your photos together have the maximum size that this service keeps for one person.",
    "Delete some of your photos, then add the new one.",
)
TOO_MANY_PHOTOS = ProblemType(
    "too_many_photos",
    "Too many photos",
    "The activity already has as many photos as an activity can have.",
    "Delete one of its photos, then add the new one.",
)
UNCONFIRMED = ProblemType(
    "unconfirmed",
    "Address not confirmed",
    "This concerns other people, and your email address is not confirmed yet.",
    "Open the link in the confirmation email. If you have lost it, request another one in your"
    " settings.",
)
WRONG_CREDENTIALS = ProblemType(
    "wrong_credentials",
    "Wrong email address or password",
    "No account has this email address and password. We do not say which of the two is wrong.",
    "Check both and try again, or request a password reset.",
)
WRONG_PASSWORD = ProblemType(
    "wrong_password",
    "Wrong password",
    "This needs your current password, and the password that was sent is not the one.",
    "Try again, or request a password reset.",
)

PROBLEM_TYPES: Mapping[str, ProblemType] = {
    value.name: value for value in list(vars().values()) if isinstance(value, ProblemType)
}
"""All problem types, by name."""
