"""What must not happen while a page is open, whatever a test looks at."""

from __future__ import annotations

from collections.abc import Iterable

from playwright.async_api import ConsoleMessage, Error, Page, Request, Response

LEFT_EARLY = "net::ERR_ABORTED"
"""A poll that the next page cut off, or an answer that became a download."""
UNANSWERED = ("ERR_CONNECTION_REFUSED", "htmx:afterRequest", "htmx:sendError")
"""What a poll says that nobody answers."""


class Troubles(list[str]):
    """What went wrong so far. A test that means something to go wrong looks at it and clears it."""

    def watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", self._error)
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)

    def forgive(self, meant: Iterable[str]) -> None:
        """What contains one of these was meant to happen."""
        self[:] = [trouble for trouble in self if not any(words in trouble for words in meant)]

    def _console(self, message: ConsoleMessage) -> None:
        # Violations of the content security policy are told here, and answers of 400 and more.
        if message.type in {"error", "warning"}:
            self.append(f"console: {message.text} ({message.location.get('url')})")

    def _error(self, error: Error) -> None:
        self.append(f"script: {error}")

    def _failed(self, request: Request) -> None:
        if request.failure != LEFT_EARLY:
            self.append(f"request: {request.method} {request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 500:
            self.append(f"answer: {response.status} of {response.request.method} {response.url}")
