"""The pages for operators, under `/ops`. Other users get 403.

They call the same use cases as the API's `/admin`, which log every action with the operator's id.
"""

from app.pages.ops.router import router

__all__ = ["router"]
