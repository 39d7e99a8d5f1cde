"""S3: SeaweedFS, whose master, volume, filer and S3 servers run in one process."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from app import process_priority
from app.embedded.answers import http_status
from app.embedded.daemon import Daemon
from app.embedded.ports import LOOPBACK, free_ports
from app.embedded.wheels import weed

BUCKET = "activelog"
REGION = "us-east-1"
ACCESS_KEY = "activelog"
SECRET_KEY = "activelog-secret"
CONFLICT = 409
"""The bucket is there already."""
SOCKETS = Path("/tmp")  # noqa: S108 # its choice


class S3(Daemon):
    name = "s3"
    # Asked to end, its filer waits 15 s for a stream of its own. It writes through the operating
    # system and reads its volumes back after a kill, so it is not asked.
    stop_signal = signal.SIGKILL
    notices_room_late = True  # it refuses all writes until it looks again, once a minute
    niceness = (
        process_priority.WORKER
    )  # in earnest it is on other machines: no answer waits for an upload

    def choose_ports(self) -> None:
        """A port whose socket another user left in the temporary folder counts as taken."""
        taken = ports_of_foreign_sockets()
        candidates = dict.fromkeys([self.place.port(8333), *free_ports(16)])
        usable = [port for port in candidates if port not in taken]
        self.port, self._master, self._volume, self._filer, *self._grpc = usable[:8]

    def usual_ports(self) -> Mapping[str, tuple[int, int]]:
        return {"S3": (8333, self.port)}

    def settings(self) -> dict[str, str]:
        return {
            "S3_ENDPOINT_URL": self._url,
            "S3_PUBLIC_ENDPOINT_URL": self._url,
            "S3_REGION": REGION,
            "S3_BUCKET": BUCKET,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        }

    @property
    def _url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def environment(self) -> Mapping[str, str]:
        """No configuration of the user's may be found; one volume at a time is grown, not seven.

        Below 1 GiB its garbage collector takes as much time as all else while parts are uploaded.
        """
        return {
            "PATH": os.defpath,
            "HOME": str(self.place.folder("s3")),
            "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",
            "GOMEMLIMIT": "1GiB",
        }

    async def prepare(self) -> None:
        """Its master's memory goes by port number: an earlier run's is of no use to this one."""
        folder = self.place.folder("s3")
        for memory in folder.glob("m[0-9]*"):
            shutil.rmtree(memory, ignore_errors=True)
        identity = {
            "name": BUCKET,
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        file = folder / "identities.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps({"identities": [identity]}))

    def command(self) -> Sequence[str | Path]:
        folder = self.place.folder("s3")
        master_grpc, volume_grpc, filer_grpc, s3_grpc = self._grpc
        options = {
            "dir": folder,
            "ip": LOOPBACK,
            "ip.bind": LOOPBACK,
            "filer": "true",
            "s3": "true",
            "s3.config": folder / "identities.json",
            "s3.port": self.port,
            "s3.port.grpc": s3_grpc,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "master.port": self._master,
            "master.port.grpc": master_grpc,
            "master.peers": "none",
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 256,
            "volume.port": self._volume,
            "volume.port.grpc": volume_grpc,
            "volume.max": 40,
            "volume.minFreeSpace": "16MiB",  # the default, 1 %, is gigabytes of a large disk
            "filer.port": self._filer,
            "filer.port.grpc": filer_grpc,
        }
        arguments = [f"-{name}={value}" for name, value in options.items()]
        return [weed(), "-logtostderr=true", "server", *arguments]

    def litter(self) -> Sequence[Path]:
        """The sockets that it always creates there."""
        grpc = zip(("master", "volume", "filer", "s3"), self._grpc, strict=True)
        names = [f"{name}-grpc-{port}" for name, port in grpc]
        names += [f"filer-{self._filer}", f"s3-{self.port}"]
        return [SOCKETS / f"seaweedfs-{name}.sock" for name in names]

    async def answers(self) -> bool:
        """It listens before it can do anything: ready is when it has made, or finds, the bucket."""
        url = f"{self._url}/{BUCKET}"
        status = await http_status(url, "PUT", signed("PUT", url))
        return status in {200, CONFLICT}


def ports_of_foreign_sockets() -> set[int]:
    """Ports that SeaweedFS cannot serve: another user owns the socket that it would replace."""
    user = os.geteuid()
    found: set[int] = set()
    for file in SOCKETS.glob("seaweedfs-*-*.sock"):
        number = file.stem.rpartition("-")[2]
        with suppress(FileNotFoundError):
            if number.isdigit() and user not in {0, file.lstat().st_uid}:
                found.add(int(number))
    return found


def signed(method: str, url: str) -> dict[str, str]:
    """The headers of an AWS signature, version 4, for a request without a body."""
    request = AWSRequest(method=method, url=url)
    S3SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", REGION).add_auth(request)
    return dict(request.headers.items())
