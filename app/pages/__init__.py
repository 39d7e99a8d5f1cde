"""The pages: HTML for people at a browser, without scripts and without inline styles."""

from app.pages.router import pages_router

__all__ = ["pages_router"]
