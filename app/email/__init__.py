"""Emails: their types, composition and delivery.

Each package defines its own emails in its `emails.py`, which says who receives each one and why.
"""

from app.email.compose import EmailConfig
from app.email.delivery import EmailSender, deliver
from app.email.email import Email, Recipient, check_emails
from app.email.formatting import one_line
from app.email.send_limit import SendLimit

__all__ = [
    "Email",
    "EmailConfig",
    "EmailSender",
    "Recipient",
    "SendLimit",
    "check_emails",
    "deliver",
    "one_line",
]
