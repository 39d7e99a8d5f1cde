"""The settings: frozen sections, read from environment variables.

`.env.example` lists every variable, with its default or an example.
"""

from app.settings.mail import Dkim, Mail, Smtp
from app.settings.sections import Bucket, Database, Http, Logs, Rate, Redis, Retention, Worker
from app.settings.settings import Environment, Settings

__all__ = [
    "Bucket",
    "Database",
    "Dkim",
    "Environment",
    "Http",
    "Logs",
    "Mail",
    "Rate",
    "Redis",
    "Retention",
    "Settings",
    "Smtp",
    "Worker",
]
