"""Keeping one worker process alive: it is forked, watched, replaced when it dies, and told to stop."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType

from connector.clock import SystemClock
from connector.errors import ConfigError
from connector.log import get_log

YOUNG = 5.0
"""Seconds: a worker that dies so soon after its start would die again."""
PAUSE = 0.5

log = get_log("supervisor")


def listen(host: str, port: int, backlog: int) -> socket.socket:
    """A listening socket, IPv4 or IPv6 as the host is. Raises `ConfigError` naming the address."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=backlog)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(f"cannot listen on {host}:{port}: {reason}", where="app.listen") from error


def keep_alive(work: Callable[[], int], stop_timeout: float) -> None:
    """Run `work` in a child process until SIGTERM or SIGINT, which is passed on; replace a child that dies.

    `work` returns an exit code. Raises `SystemExit(1)` when a child ends by itself with a code, dies twice within
    seconds of its start, or has to be killed `stop_timeout` seconds after it was told to stop. Where processes cannot
    be forked, `work` runs here and nobody watches.
    """
    if not hasattr(os, "fork"):
        sys.exit(work())
    Supervisor(work, stop_timeout).run()


class Supervisor:
    """Of one child at a time."""

    def __init__(self, work: Callable[[], int], stop_timeout: float) -> None:
        self._work = work
        self._stop_timeout = stop_timeout
        self._clock = SystemClock()
        self._child = 0
        self._stopping = False

    def run(self) -> None:
        young = 0
        while True:
            began = self._clock.monotonic()
            _, status = os.waitpid(self._fork(), 0)
            if self._stopping:
                if status:
                    raise SystemExit(1)
                return
            if os.WIFEXITED(status):  # it said why
                raise SystemExit(1)
            young = young + 1 if self._clock.monotonic() - began < YOUNG else 0
            log.error("worker_died", signal=os.WTERMSIG(status), replaced=young < 2)
            if young == 2:
                raise SystemExit(1)
            self._clock.sleep(PAUSE)

    def _fork(self) -> int:
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        # Blocked until both know who they are: a signal that comes in between would reach nobody.
        signal.pthread_sigmask(signal.SIG_BLOCK, before)
        child = os.fork()
        if child == 0:
            for number in before:
                signal.signal(number, _leave)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, before)
            self._be_child()
        self._child = child
        for number in before:
            signal.signal(number, self._stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, before)
        return child

    def _be_child(self) -> None:
        code = 1
        try:
            code = self._work()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            # Not sys.exit: what the parent had set up to run at its own end is not the child's.
            os._exit(code)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        """Called between two instructions of `run`; a `waitpid` under way is taken up again afterwards."""
        if self._stopping:
            return
        self._stopping = True
        os.kill(self._child, signal.SIGTERM)
        timer = threading.Timer(self._stop_timeout, os.kill, (self._child, signal.SIGKILL))
        timer.daemon = True
        timer.start()


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
