"""A real SFTP server on loopback, over a folder of the test's own."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko
from paramiko import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED, SFTP_OK, SFTPAttributes, SFTPHandle, SFTPServer


@dataclass
class Server:
    settings: dict[str, object]
    another_key: str
    sign_ins: int = 0


class _Door(paramiko.ServerInterface):
    def __init__(self, server: Server) -> None:
        self._server = server

    def check_auth_password(self, username: str, password: str) -> int:
        self._server.sign_ins += 1
        return AUTH_SUCCESSFUL if (username, password) == ("kiitos", "sesame") else AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED


class _Files(paramiko.SFTPServerInterface):
    root = Path()

    def _at(self, path: str) -> Path:
        return self.root / path.strip("/")

    def _safely(self, work: Any) -> Any:
        try:
            return work()
        except OSError as error:
            return SFTPServer.convert_errno(error.errno or 0)

    def stat(self, path: str) -> Any:
        return self._safely(lambda: SFTPAttributes.from_stat(self._at(path).stat()))

    lstat = stat

    def mkdir(self, path: str, attr: Any) -> Any:
        return self._safely(lambda: self._at(path).mkdir() or SFTP_OK)

    def posix_rename(self, oldpath: str, newpath: str) -> Any:
        return self._safely(lambda: (self._at(oldpath).replace(self._at(newpath)) and SFTP_OK) or SFTP_OK)

    def open(self, path: str, flags: int, attr: Any) -> Any:
        def work() -> SFTPHandle:
            number = os.open(self._at(path), flags | getattr(os, "O_CLOEXEC", 0), 0o600)
            mode = "ab+" if flags & os.O_APPEND else "rb+" if flags & (os.O_WRONLY | os.O_RDWR) else "rb"
            file = os.fdopen(
                number, mode if flags & os.O_RDWR or mode == "rb" else mode.replace("+", "").replace("rb", "wb")
            )
            handle = SFTPHandle(flags)
            handle.readfile = file
            handle.writefile = file
            return handle

        return self._safely(work)


@contextlib.contextmanager
def sftp_server(folder: Path) -> Iterator[Server]:
    """Serves `folder`; the channel is to write into `out` in it. Name `kiitos`, password `sesame`."""
    (folder / "out").mkdir()
    key, another = paramiko.ECDSAKey.generate(bits=256), paramiko.ECDSAKey.generate(bits=256)
    listener = socket.create_server(("127.0.0.1", 0))
    found = Server(
        settings={
            "host": "127.0.0.1",
            "port": listener.getsockname()[1],
            "username": "kiitos",
            "password": "sesame",
            "host_key": f"{key.get_name()} {key.get_base64()}",
            "path": "out",
        },
        another_key=f"{another.get_name()} {another.get_base64()}",
    )
    files = type("Files", (_Files,), {"root": folder})
    transports: list[paramiko.Transport] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(key)
            transport.set_subsystem_handler("sftp", SFTPServer, files)
            transports.append(transport)
            with contextlib.suppress(paramiko.SSHException, EOFError):
                transport.start_server(server=_Door(found))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for transport in transports:
            transport.close()
        thread.join(5)
