"""The pages for operators, under `/ops`. Other users get 403.

The pages call the same use cases as the API's `/admin`. Every action is logged with the id of the
operator.
"""

from app.pages.ops.router import router

__all__ = ["router"]
