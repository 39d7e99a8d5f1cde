"""The pages: HTML that works without scripts. Scripts and styles are never inline."""

from app.pages.failures import failure_page
from app.pages.router import pages_router

__all__ = ["failure_page", "pages_router"]
