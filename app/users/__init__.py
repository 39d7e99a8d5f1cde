"""People: their accounts, their sessions, and the tokens that letters carry to them."""
