"""The API as a process."""

from __future__ import annotations

import sys

FROM_MODULE = [sys.executable, "-m", "app.asgi"]
FROM_SERVER = [sys.executable, "-m", "uvicorn", "app.asgi:app"]
