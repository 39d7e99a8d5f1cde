"""What operators do, under `/admin`. Anyone else gets 403."""

from app.api.admin.router import router

__all__ = ["router"]
