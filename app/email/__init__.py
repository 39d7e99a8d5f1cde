"""Letters: what one is made of, how it is composed, and how it goes out once an occasion.

Who is written to, and why, stands in each noun's own letters.py.
"""

from app.email.compose import Stationery
from app.email.delivery import deliver
from app.email.letter import AtMost, Letter, Recipient, check_letters
from app.email.pace import Pace
from app.email.post import Post
from app.email.wording import one_line

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
