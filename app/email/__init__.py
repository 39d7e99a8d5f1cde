"""Letters: what one is made of, how it is composed, and how it goes out once a unique key.

Who is written to, and why, stands in each noun's own letters.py.
"""

from app.email.compose import Stationery
from app.email.delivery import Post, deliver
from app.email.email import AtMost, Letter, Recipient, check_letters
from app.email.formatting import one_line
from app.email.send_limit import Pace

__all__ = [
    "AtMost",
    "Letter",
    "Pace",
    "Post",
    "Recipient",
    "Stationery",
    "check_letters",
    "deliver",
    "one_line",
]
