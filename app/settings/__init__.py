"""The settings: frozen sections made from an environment. Nothing else in the project reads one.

`.env.example` lists every variable with its default.
"""

from app.settings.mail import Dkim, Mail, Smtp
from app.settings.sections import Bucket, Database, Http, Logs, Rate, Retention, Worker
from app.settings.settings import Settings

__all__ = [
    "Bucket",
    "Database",
    "Dkim",
    "Http",
    "Logs",
    "Mail",
    "Rate",
    "Retention",
    "Settings",
    "Smtp",
    "Worker",
]
