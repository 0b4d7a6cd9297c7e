"""Kaggle as far as its own client asks for it, on this machine: the client reaches it through HTTPS_PROXY.

The client knows no other address than Kaggle's, so this is a proxy that answers for any host, with a certificate
made for the test, which the client's processes alone are told to trust.
"""

from __future__ import annotations

import io
import json
import ssl
import subprocess
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOSTS = ("api.kaggle.com", "www.kaggle.com", "storage.test")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def do_CONNECT(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self, content: bytes | dict, status: int = 200, **headers: str) -> None:
        kind = "application/json" if isinstance(content, dict) else "application/octet-stream"
        content = json.dumps(content).encode() if isinstance(content, dict) else content
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self.answer(self.server.archive)

    def do_PUT(self) -> None:
        self.server.uploads.append(self.body())
        self.answer(b"", 503 if self.server.broken else 200)

    def do_POST(self) -> None:
        service, name = self.path.split("/")[-2:]
        content = self.body()
        self.server.calls.append((name, json.loads(content) if content else {}))
        if self.server.status != 200:
            self.answer(b"", self.server.status)
        elif name == "DownloadDataFiles":
            self.answer(b"", 302, Location="https://storage.test/digit-recognizer.zip?signature=1")
        elif name in ("StartSubmissionUpload", "StartBlobUpload"):
            self.answer({"token": "token", "createUrl": "https://storage.test/upload"})
        elif name == "CreateSubmission":
            self.answer({"message": "Successfully submitted to Digit Recognizer", "ref": 1})
        elif name == "GetDatasetStatus":
            self.answer(b"", 404)
        elif name == "CreateDataset":
            self.answer({"status": "ok", "url": "https://www.kaggle.com/datasets/x", "ref": "x"})
        elif name == "SaveKernel":
            self.answer({"versionNumber": 1, "url": "https://www.kaggle.com/code/x", "ref": "x"})
        else:
            self.answer({"code": 404, "message": f"{service} {name}"}, 404)


class Kaggle(ThreadingHTTPServer):
    """`calls`: what was asked, as names and JSON. `uploads`: the bytes sent. `archive`: what a download gets."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.calls: list[tuple[str, dict]] = []
        self.uploads: list[bytes] = []
        self.archive, self.status, self.broken = b"", 200, False
        certificate, key = folder / "certificate.pem", folder / "key.pem"
        names = ",".join(f"DNS:{host}" for host in HOSTS)
        made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]
        made += ["-addext", f"subjectAltName={names}", "-keyout", str(key), "-out", str(certificate)]
        subprocess.run(made, check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        proxy = f"http://127.0.0.1:{self.server_port}"
        self.settings = {"HTTPS_PROXY": proxy, "https_proxy": proxy, "REQUESTS_CA_BUNDLE": str(certificate)}
        self.signed_in = self.settings | {"KAGGLE_USERNAME": "someone", "KAGGLE_KEY": "0" * 32}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def pack(self, files: dict[str, bytes]) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        self.archive = buffer.getvalue()
