"""The routes under `/admin`. They respond with 403 to everybody but operators."""

from app.api.admin.router import router

__all__ = ["router"]
