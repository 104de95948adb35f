"""The same receiver over PostgreSQL: same answers, same rows, no checkpoint thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from connector.clock import SystemClock
from connector.store.store import Store
from tests.store.conftest import postgres_dsn, schema_dsn  # noqa: F401 - the fixtures by import
from tests.webhooks.composition import PATH, headers_for, registry, seed, stored, vault
from webhooks.receiver import Receiver, mount_receiver

BODY = b'{"id": 1}'


@pytest.mark.postgres
def test_many_clients_one_row_each(schema_dsn: str) -> None:  # noqa: F811
    store = Store.open(schema_dsn)
    seed(store)
    receiver, app = Receiver(store, vault(), registry(), SystemClock()), Flask("bench")
    mount_receiver(app, receiver)
    receiver.start()

    def send(number: int) -> int:
        headers = headers_for(BODY, delivery=f"d-{number % 40}")
        return app.test_client().post(PATH, data=BODY, headers=headers).status_code

    try:
        assert receiver.checkpointer.path is None
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(send, range(80))) == [200] * 80
        assert app.test_client().get("/readyz").status_code == 200
        assert sorted(row.dedup_key for row in stored(store)) == sorted(f"d-{n}" for n in range(40))
    finally:
        receiver.close()
        store.close()
