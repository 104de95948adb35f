"""Documents that signatures are checked with (SNS certificates): fetched once, beside the requests that need them.

A request never waits for the network in the receiver's threads: it says what it needs, the directory's thread fetches
that, and the request is judged again. Which addresses may be asked for is the verifying class's rule.
"""

from __future__ import annotations

import threading

from connector.contracts.channel_events import Fetch
from connector.errors import KiitosError, Transient
from connector.log import get_log

log = get_log("webhooks.certificates")

MOST = 32
"""Kept and wanted at once: a region has one at a time."""


class Certificates:
    """`get` answers from memory; `bring` fetches what was asked for in vain. Thread-safe."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._kept: dict[str, bytes] = {}
        self._wanted: dict[str, None] = {}

    def get(self, url: str) -> bytes:
        """The document. Raises `Transient` when it is not here yet; it then is fetched at the next `bring`."""
        with self._lock:
            found = self._kept.get(url)
            if found is None:
                if len(self._wanted) < MOST:
                    self._wanted[url] = None
                raise Transient("the certificate is being fetched")
            return found

    def bring(self) -> None:
        """Fetch what is wanted. What cannot be had is logged and asked for anew by the next request."""
        with self._lock:
            wanted, self._wanted = list(self._wanted), {}
        for url in wanted:
            try:
                found = self._fetch(url)
            except KiitosError as error:
                log.warning("certificate_not_fetched", code=error.code, reason=error.message)
                continue
            with self._lock:
                while len(self._kept) >= MOST:
                    del self._kept[next(iter(self._kept))]
                self._kept[url] = found
