"""What operators look at and act on, under `/ops`. Anyone else gets 403.

The use cases are those of the API's `/admin`, and log every act under the operator's id.
"""

from app.pages.ops.router import router

__all__ = ["router"]
