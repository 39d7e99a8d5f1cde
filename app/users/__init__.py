"""People: their accounts, their sessions, and the tokens that emails carry to them."""
