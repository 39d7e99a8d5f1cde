"""Errors that fail any browser test: from the console, scripts and requests."""

from __future__ import annotations

from collections.abc import Iterable

from playwright.async_api import ConsoleMessage, Error, Page, Request, Response

ABORTED = "net::ERR_ABORTED"
"""The failure of polls when the browser leaves the page, and of requests for downloads."""
CONNECTION_ERRORS = ("ERR_CONNECTION_REFUSED", "htmx:afterRequest", "htmx:sendError")
"""Parts of the errors reported for polls that get no response."""


class PageErrors(list[str]):
    """The errors so far. A test that expects errors checks and clears them."""

    def watch(self, page: Page) -> None:
        page.on("console", self._add_console_message)
        page.on("pageerror", self._add_script_error)
        page.on("requestfailed", self._add_failed_request)
        page.on("response", self._check_response)

    def ignore(self, expected: Iterable[str]) -> None:
        """Drop the errors that contain one of these texts."""
        self[:] = [error for error in self if not any(text in error for text in expected)]

    def _add_console_message(self, message: ConsoleMessage) -> None:
        # This includes violations of the content security policy, and statuses of 400 and above.
        if message.type in {"error", "warning"}:
            self.append(f"console: {message.text} ({message.location.get('url')})")

    def _add_script_error(self, error: Error) -> None:
        self.append(f"script: {error}")

    def _add_failed_request(self, request: Request) -> None:
        if request.failure != ABORTED:
            self.append(f"request: {request.method} {request.url}: {request.failure}")

    def _check_response(self, response: Response) -> None:
        if response.status >= 500:
            self.append(f"response: {response.status} to {response.request.method} {response.url}")
