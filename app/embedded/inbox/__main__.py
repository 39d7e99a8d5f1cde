"""python -m app.embedded.inbox FOLDER SMTP_PORT WEB_PORT: serve the letters until SIGTERM."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvicorn

from app.embedded.inbox.letters import Inbox
from app.embedded.inbox.receiving import smtp_protocol
from app.embedded.inbox.web import inbox_application
from app.embedded.ports import LOOPBACK


async def serve(folder: Path, smtp_port: int, web_port: int) -> None:
    inbox = Inbox(folder)
    loop = asyncio.get_running_loop()
    receiving = await loop.create_server(lambda: smtp_protocol(inbox), LOOPBACK, smtp_port)
    config = uvicorn.Config(
        inbox_application(inbox), LOOPBACK, web_port, log_level="warning", lifespan="off"
    )
    try:
        await uvicorn.Server(config).serve()
    finally:
        receiving.close()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
