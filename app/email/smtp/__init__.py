"""SMTP: emails over a few kept connections, and every answer of a server as a typed fact.

No message of this package holds an address: what a server says is scrubbed before it is kept.
"""

from app.email.smtp.pool import TIMEOUT, Mailer, open_mailer
from app.email.smtp.replies import (
    Ambiguous,
    AuthenticationFailed,
    Refused,
    TemporarilyRefused,
)

__all__ = [
    "TIMEOUT",
    "Ambiguous",
    "AuthenticationFailed",
    "Mailer",
    "Refused",
    "TemporarilyRefused",
    "open_mailer",
]
