"""The routes under `/admin`. Users who are not operators get 403."""

from app.api.admin.router import router

__all__ = ["router"]
