"""The S3 server: SeaweedFS, with its master, volume, filer and S3 servers in one process.

All four listen on the loopback address, where any user of this machine can reach them. S3 asks for
a key. The others accept gRPC only with a certificate that only this process has, and HTTP only with
a token that the master hands out over gRPC.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from app import process_priority
from app.embedded.daemon import Daemon
from app.embedded.ports import LOOPBACK, free_ports, http_status
from app.embedded.wheels import seaweedfs

BUCKET = "activelog"
REGION = "us-east-1"
ACCESS_KEY = "activelog"
BUCKET_EXISTS = 409
"""The HTTP status for a bucket that already exists."""
TOKENS = ("SIGNING", "SIGNING_READ", "FILER_SIGNING", "FILER_SIGNING_READ")
CERTIFIED = ("MASTER", "VOLUME", "FILER", "S3", "CLIENT")
"""The names in SeaweedFS's variables for its tokens and certificates."""
SOCKETS = Path("/tmp")  # noqa: S108 # hard-coded in SeaweedFS


class S3(Daemon):
    name = "s3"
    # On SIGTERM the filer waits 15 s for one of its own streams. SIGKILL loses no data: SeaweedFS
    # hands each write to the operating system, and reads its volumes again when it starts.
    stop_signal = signal.SIGKILL
    # SeaweedFS checks the free space once a minute, and rejects writes until the next check.
    slow_to_notice_free_space = True
    # In production S3 runs on other machines; here it must not slow down requests.
    niceness = process_priority.WORKER_NICENESS

    def choose_ports(self) -> None:
        """Avoid ports for which another user left sockets in /tmp."""
        taken = ports_with_foreign_sockets()
        candidates = dict.fromkeys([self.workspace.choose_port(8333), *free_ports(16)])
        usable = [port for port in candidates if port not in taken]
        self.port, self._master, self._volume, self._filer, *self._grpc = usable[:8]

    def listening_ports(self) -> Mapping[str, tuple[int, int]]:
        return {"S3": (8333, self.port)}

    def settings(self) -> dict[str, str]:
        return {
            "S3_ENDPOINT_URL": self._url,
            "S3_PUBLIC_ENDPOINT_URL": self._url,
            "S3_REGION": REGION,
            "S3_BUCKET": BUCKET,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": self._secret_key,
        }

    @property
    def _secret_key(self) -> str:
        return self.workspace.password("s3")

    @property
    def _url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def environment(self) -> Mapping[str, str]:
        """Hide the user's configuration from SeaweedFS, and add one volume at a time, not seven.

        With a memory limit below 1 GiB, garbage collection takes half of the CPU time of multipart
        uploads.
        """
        return {
            "PATH": os.defpath,
            "HOME": str(self.workspace.folder("s3")),
            "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",
            "GOMEMLIMIT": "1GiB",
            **{f"WEED_JWT_{name}_KEY": self.workspace.password(name) for name in TOKENS},
            "WEED_GRPC_CA": str(self._certificate),
            **{f"WEED_GRPC_{name}_CERT": str(self._certificate) for name in CERTIFIED},
            **{f"WEED_GRPC_{name}_KEY": str(self._private_key) for name in CERTIFIED},
        }

    @property
    def _certificate(self) -> Path:
        return self.workspace.folder("s3") / "certificate.pem"

    @property
    def _private_key(self) -> Path:
        return self.workspace.folder("s3") / "key.pem"

    async def prepare(self) -> None:
        """Write the credentials and a new certificate, which only this user can read.

        Remove the folders of earlier masters (`m` and the port).
        """
        folder = self.workspace.folder("s3")
        for state in folder.glob("m[0-9]*"):
            shutil.rmtree(state, ignore_errors=True)
        identity = {
            "name": BUCKET,
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": self._secret_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        file = folder / "identities.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps({"identities": [identity]}))
        certificate, private_key = self_signed_certificate()
        self._certificate.write_bytes(certificate)
        self._private_key.touch(mode=0o600)
        self._private_key.write_bytes(private_key)

    def command(self) -> Sequence[str | Path]:
        folder = self.workspace.folder("s3")
        master_grpc, volume_grpc, filer_grpc, s3_grpc = self._grpc
        options = {
            "dir": folder,
            "ip": LOOPBACK,
            "ip.bind": LOOPBACK,
            "disableHttp": "true",  # the master would give tokens to anybody
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
            "volume.minFreeSpace": "16MiB",  # the default, 1%, is gigabytes on a large disk
            "filer.port": self._filer,
            "filer.port.grpc": filer_grpc,
        }
        arguments = [f"-{name}={value}" for name, value in options.items()]
        return [seaweedfs(), "-logtostderr=true", "server", *arguments]

    def cleanup_paths(self) -> Sequence[Path]:
        """Return the sockets that SeaweedFS always creates in /tmp."""
        grpc = zip(("master", "volume", "filer", "s3"), self._grpc, strict=True)
        names = [f"{name}-grpc-{port}" for name, port in grpc]
        names += [f"filer-{self._filer}", f"s3-{self.port}"]
        return [SOCKETS / f"seaweedfs-{name}.sock" for name in names]

    async def is_ready(self) -> bool:
        """Try to create the bucket: SeaweedFS listens before it can serve requests."""
        url = f"{self._url}/{BUCKET}"
        status = await http_status(url, "PUT", signed_headers("PUT", url, self._secret_key))
        return status in {200, BUCKET_EXISTS}


def ports_with_foreign_sockets() -> set[int]:
    """Return ports that SeaweedFS cannot use: it cannot replace another user's socket."""
    user = os.geteuid()
    found: set[int] = set()
    for file in SOCKETS.glob("seaweedfs-*-*.sock"):
        number = file.stem.rpartition("-")[2]
        with suppress(FileNotFoundError):
            if number.isdigit() and user not in {0, file.lstat().st_uid}:
                found.add(int(number))
    return found


def self_signed_certificate() -> tuple[bytes, bytes]:
    """Return a new self-signed certificate for the loopback address, and its key.

    A client without a certificate signed by it is rejected. It is valid on every date, because it
    is replaced at each start, and clocks may be wrong. 9999 stands for no expiry (RFC 5280, section
    4.1.2.5).
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "activelog")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2000, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    private_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM), private_key


def signed_headers(method: str, url: str, secret_key: str) -> dict[str, str]:
    """Return the AWS Signature Version 4 headers for a request without a body."""
    request = AWSRequest(method=method, url=url)
    S3SigV4Auth(Credentials(ACCESS_KEY, secret_key), "s3", REGION).add_auth(request)
    return dict(request.headers.items())
