"""SMTP: sends emails over a pool of connections and turns every reply into a typed error.

No error message of this package contains an email address: the server's text is scrubbed first.
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
