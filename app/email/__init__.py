"""Letters: what one is made of, how it is composed, and how it goes out once an occasion.

Who is written to, and why, stands in each noun's own letters.py.
"""

from app.email.compose import Stationery, one_line
from app.email.delivery import deliver
from app.email.letter import Letter, Recipient, check_letters

__all__ = ["Letter", "Recipient", "Stationery", "check_letters", "deliver", "one_line"]
