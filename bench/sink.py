"""The SMTP sink without a compiler: same arguments and same log lines as sink.c."""

from __future__ import annotations

import argparse
import asyncio
import time
from email.parser import BytesHeaderParser
from functools import partial
from pathlib import Path
from typing import TextIO

_GREETING = b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 4000000\r\n"
_parser = BytesHeaderParser()


def log_line(at: float, recipient: str, message: bytes) -> str:
    """`monotonic seconds, recipient, Message-ID, Subject, bytes`, tab separated."""
    headers = _parser.parsebytes(message)
    subject, message_id = (str(headers.get(name, "")).replace("\t", " ") for name in ("Subject", "Message-ID"))
    return f"{at:.6f}\t{recipient}\t{message_id}\t{subject}\t{len(message)}\n"


async def converse(log: TextIO, delay: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 sink ESMTP\r\n")
    recipient = ""
    while line := await reader.readline():
        word = line[:4].upper()
        if word == b"DATA":
            writer.write(b"354 go on\r\n")
            message = b""
            while (part := await reader.readline()) not in (b".\r\n", b""):
                message += part
            log.write(log_line(time.monotonic(), recipient, message))
            await asyncio.sleep(delay)
            writer.write(b"250 queued\r\n")
        elif word == b"QUIT":
            writer.write(b"221 bye\r\n")
            break
        else:
            if word == b"RCPT":
                recipient = line.partition(b"<")[2].partition(b">")[0].decode()
            writer.write(_GREETING if word == b"EHLO" else b"250 ok\r\n")
    writer.close()


async def serve(port: int, log_path: Path, delay: float) -> None:
    with log_path.open("a", buffering=1) as log:
        server = await asyncio.start_server(partial(converse, log, delay), "127.0.0.1", port, limit=1 << 22)
        async with server:
            await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-p", type=int, required=True)
    parser.add_argument("-l", type=Path, required=True)
    parser.add_argument("-w", type=int, default=0)
    options = parser.parse_args()
    asyncio.run(serve(options.p, options.l, options.w / 1000))


if __name__ == "__main__":
    main()
