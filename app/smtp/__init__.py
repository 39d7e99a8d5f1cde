"""SMTP: letters over a few kept connections, and every answer of a server as a typed fact.

No message of this package holds an address: what a server says is scrubbed before it is kept.
"""

from app.smtp.answers import Ambiguous, AuthenticationFailed, Refused, TemporarilyRefused
from app.smtp.mailer import TIMEOUT, Mailer, open_mailer

__all__ = [
    "TIMEOUT",
    "Ambiguous",
    "AuthenticationFailed",
    "Mailer",
    "Refused",
    "TemporarilyRefused",
    "open_mailer",
]
