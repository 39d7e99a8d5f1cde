"""Imports the modules of all kinds of jobs, so that the command line knows each by its name."""

from app.exports import jobs as exports
from app.friends import jobs as friends
from app.housekeeping import jobs as housekeeping
from app.reports import jobs as reports
from app.stats import jobs as stats
from app.stats import scheduled
from app.users import jobs as users

KINDS_OF = (exports, friends, housekeeping, reports, scheduled, stats, users)
