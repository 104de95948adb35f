"""The load generator without a compiler: same arguments and same JSON as lg.c, one asyncio loop.

It reaches some thousand requests per second; the run then says "generator-bound" and its ratios are not gated.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import corpus, stats

ID_PREFIX = "6b696974-6f73-4000-8000-"
DRAIN_SECONDS = 10.0


def due_offset(number: int, rate: float) -> float:
    """Seconds after the start at which request `number` (from 0) is due.

    One interval early here adds exactly 1/rate to every latency: it happened (facts/performance.md).
    """
    return number / rate


class Run:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.pairs = corpus.read(Path(options.f))
        self.issued = self.in_flight = self.reconnects = self.resets = self.non_2xx = self.ok = self.rejected = 0
        self.statuses: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.acknowledged: list[str] = []
        self.started = self.ended = 0.0

    def head(self, number: int) -> tuple[bytes, bytes, str, bool]:
        signature, body = self.pairs[number % len(self.pairs)]
        wrong = bool(self.options.w) and number % 100 < self.options.w
        if wrong:
            signature = (b"B" if signature[:1] == b"A" else b"A") + signature[1:]
        event = self.options.s + (number % self.options.k if self.options.k else number)
        extra = "".join(f"{line}\r\n" for line in self.options.H)
        text = (
            f"POST {self.options.u} HTTP/1.1\r\nHost: 127.0.0.1:{self.options.p}\r\n{extra}"
            f"X-Shopify-Hmac-Sha256: {signature.decode()}\r\nX-Shopify-Webhook-Id: {ID_PREFIX}{event:012x}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return text.encode(), body, f"{event:012x} {number % len(self.pairs)}", wrong

    def take(self) -> tuple[int, float] | None:
        """The next request's number and due time, or `None` when the run is over."""
        now, number = time.monotonic(), self.issued
        due = self.started + due_offset(number, self.options.r) if self.options.r else now
        if max(now, due) >= self.started + self.options.d or (self.options.n is not None and number >= self.options.n):
            return None
        self.issued += 1
        return number, due

    async def connection(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.options.p)
        while (taken := self.take()) is not None:
            number, due = taken
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.in_flight += 1
            try:
                await self.exchange(reader, writer, number, due)
                self.in_flight -= 1
            except (ConnectionError, asyncio.IncompleteReadError):
                self.in_flight -= 1
                self.resets += 1
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.options.p)
                except ConnectionError:
                    return
                self.reconnects += 1
        writer.close()

    async def exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int, due: float
    ) -> None:
        head, body, ack, wrong = self.head(number)
        writer.write(head + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"content-length:" in answer:
            await reader.readexactly(int(answer.split(b"content-length:")[1].split(b"\r\n")[0]))
        elif b"transfer-encoding: chunked" in answer:
            await reader.readuntil(b"0\r\n\r\n")
        status = int(answer[9:12])
        self.statuses[str(status)] += 1
        self.ended = time.monotonic()
        if wrong and status == 401:
            self.rejected += 1
        elif not wrong and 200 <= status < 300:
            self.ok += 1
            self.acknowledged.append(ack)
        else:
            self.non_2xx += 1
            return
        self.latencies.append((self.ended - due) * 1000)

    async def run(self) -> None:
        self.started = self.ended = time.monotonic()
        tasks = [asyncio.create_task(self.connection()) for _ in range(self.options.c)]
        _, pending = await asyncio.wait(tasks, timeout=self.options.d + DRAIN_SECONDS)
        for task in pending:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def report(self) -> dict[str, object]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        cpu, took = usage.ru_utime + usage.ru_stime, max(self.ended - self.started, 1e-9)
        shares = {"p50_ms": 0.5, "p99_ms": 0.99, "p999_ms": 0.999, "max_ms": 1.0}
        return {
            **{name: getattr(self, name) for name in ("issued", "ok", "rejected", "non_2xx", "resets", "reconnects")},
            "unanswered": self.in_flight,
            "seconds": took,
            "rate": (self.ok + self.rejected) / took,
            **{name: round(stats.percentile(self.latencies, share), 3) for name, share in shares.items()},
            "cpu_seconds": cpu,
            "cpu_share": cpu / took,
            "started": self.started,
            "ended": self.ended,
            "statuses": dict(self.statuses),
        }


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for flag, kind, default in (
        *(("-p", int, 8000), ("-u", str, "/"), ("-f", str, None), ("-c", int, 64), ("-d", float, 2.0)),
        *(("-n", int, None), ("-r", float, None), ("-a", str, None), ("-s", int, 0), ("-w", int, 0), ("-k", int, 0)),
    ):
        parser.add_argument(flag, type=kind, default=default)
    parser.add_argument("-H", action="append", default=[])
    return parser.parse_args(arguments)


def main() -> int:
    run = Run(parse(sys.argv[1:]))
    asyncio.run(run.run())
    if run.options.a:
        Path(run.options.a).write_text("".join(f"{line}\n" for line in run.acknowledged))
    print(json.dumps(run.report()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
