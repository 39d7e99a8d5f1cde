"""SMTP: a pool of connections that sends emails, and a typed error for each kind of failure.

No error message from this package contains an email address: the server's text is scrubbed first.
"""

from app.email.smtp.pool import SmtpPool, open_smtp_pool
from app.email.smtp.replies import (
    Ambiguous,
    AuthenticationFailed,
    Refused,
    TemporarilyRefused,
)

__all__ = [
    "Ambiguous",
    "AuthenticationFailed",
    "Refused",
    "SmtpPool",
    "TemporarilyRefused",
    "open_smtp_pool",
]
