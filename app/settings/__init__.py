"""The settings: frozen sections made from an environment. Nothing else in the project reads one.

`.env.example` lists every variable with its default.
"""

from app.settings.http import Http
from app.settings.logs import Logs
from app.settings.mail import Dkim, Mail, Smtp
from app.settings.rate import Rate
from app.settings.retention import Retention
from app.settings.settings import Settings
from app.settings.stores import Bucket, Database
from app.settings.worker import Worker

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
