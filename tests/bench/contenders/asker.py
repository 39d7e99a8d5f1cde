"""`python -m tests.bench.contenders.asker URL TOKEN`: repeat one request to the API.

This runs in its own process, so that only the API can slow it down. It prints a line after the
first response. When its input ends, it prints the milliseconds that each later response took.
"""

from __future__ import annotations

import sys
import threading
from http.client import HTTPConnection
from time import perf_counter, sleep
from urllib.parse import urlsplit

PATH = "/api/v1/activities?limit=20"
PAUSE = 0.01


def main() -> None:
    url, token = sys.argv[1:]
    address = urlsplit(url)
    assert address.hostname is not None
    connection = HTTPConnection(address.hostname, address.port, timeout=30)
    headers = {"Authorization": f"Bearer {token}"}
    _ask(connection, headers)
    print("asking", flush=True)
    listening = threading.Thread(target=sys.stdin.read, daemon=True)
    listening.start()
    taken = []
    while listening.is_alive():
        taken.append(_ask(connection, headers))
        sleep(PAUSE)
    print(*(f"{milliseconds:.3f}" for milliseconds in taken))


def _ask(connection: HTTPConnection, headers: dict[str, str]) -> float:
    began = perf_counter()
    connection.request("GET", PATH, headers=headers)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status
    return (perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
