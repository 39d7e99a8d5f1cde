"""The servers of `just up` and of the tests, started from wheels. Nothing else may import this."""

from app.embedded.inbox.letters import Inbox, Letter
from app.embedded.servers import servers

__all__ = ["Inbox", "Letter", "servers"]
