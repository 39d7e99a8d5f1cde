"""`just up` with small children in place of the API and the worker: small_up.py HOME FAULT."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from app.embedded.child import ChildSpec
from app.embedded.commands import complain
from app.embedded.lock import AlreadyRunning
from app.embedded.up import SAME_SIGNAL, Plan, up

SERVE = """
import http.server, os, signal, sys
if "deaf" in sys.argv:
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
TAKEN = "import sys; print('[Errno 98] address already in use'); print('bye'); sys.exit(3)"
REFUSE = "import sys; print('SECRET_KEY is not set'); sys.exit(2)"


def plan(fault: str) -> Plan:
    program = {"refuse": REFUSE, "port taken": TAKEN}.get(fault, SERVE)
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
        same_signal = 600.0 if fault == "slow signals" else SAME_SIGNAL
        sys.exit(up(home, os.environ, plan(fault), durable=durable, same_signal=same_signal))
    except AlreadyRunning:
        sys.exit(complain("it runs already"))
