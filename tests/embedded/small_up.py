"""`just up` with small programs instead of the API and the worker: small_up.py HOME FAULT."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from app.embedded.application import ChildSpec, Plan
from app.embedded.console import print_error
from app.embedded.home import AlreadyRunning
from app.embedded.up import up
from app.event_loop import DUPLICATE_SIGNAL_S

SERVE = """
import http.server, os, signal, sys
if "ignore SIGTERM" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *arguments):
        pass
print("pid", os.getpid(), flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ[sys.argv[1]])), Handler).serve_forever()
"""
PORT_TAKEN = "import sys; print('[Errno 98] address already in use'); print('bye'); sys.exit(3)"
REJECT_SETTINGS = "import sys; print('SECRET_KEY is not set'); sys.exit(2)"


def plan(fault: str) -> Plan:
    """Return the programs to run. With some faults, the API misbehaves."""
    program = {"reject settings": REJECT_SETTINGS, "port taken": PORT_TAKEN}.get(fault, SERVE)
    api = ("-c", program, "PORT", fault)
    return Plan(
        steps=(ChildSpec("migrate", ("-c", "print('migrated')")),),
        demo=ChildSpec("demo", ("-c", "print('demo data')")),
        children=(
            ChildSpec("api", api, "http://127.0.0.1:{PORT}/health/ready"),
            ChildSpec(
                "worker", ("-c", SERVE, "METRICS_PORT"), "http://127.0.0.1:{METRICS_PORT}/metrics"
            ),
        ),
    )


if __name__ == "__main__":
    try:
        home, fault = Path(sys.argv[1]), sys.argv[2]
        durable = fault == "durable"
        duplicate_signal_s = 600.0 if fault == "slow signals" else DUPLICATE_SIGNAL_S
        sys.exit(
            up(
                home,
                os.environ,
                plan(fault),
                durable=durable,
                duplicate_signal_s=duplicate_signal_s,
            )
        )
    except AlreadyRunning:
        sys.exit(print_error("already running"))
