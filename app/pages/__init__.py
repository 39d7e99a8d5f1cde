"""The pages: HTML for people at a browser, whole without scripts, and none of them inline."""

from app.pages.failures import failure_page
from app.pages.router import pages_router

__all__ = ["failure_page", "pages_router"]
