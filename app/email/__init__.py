"""Emails: what one is made of, how it is composed, and how it goes out once a unique key.

Who is written to, and why, stands in each noun's own emails.py.
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
