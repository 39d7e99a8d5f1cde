"""Imports the modules of all kinds of jobs, so that the command line knows each by its name."""

from app.cleanup import jobs as housekeeping
from app.exports import jobs as exports
from app.friends import jobs as friends
from app.reports import jobs as reports
from app.stats import counting
from app.stats import jobs as stats
from app.users import jobs as users

KINDS_OF = (exports, friends, housekeeping, reports, counting, stats, users)
