"""From an empty installation to a customer's mail: connect while both processes run, order, hear of it."""

from __future__ import annotations

from pathlib import Path

from connector.app import create_app
from connector.connecting import Attempts, leave
from connector.testing.demo.scenario import JAM, LIISA
from connector.testing.fakes.woocommerce import FakeWoo
from connector.testing.serving import Serving, free_port
from connector.worker import Worker
from flows.channels.memory import Memory
from tests.connecting.instance import make
from tests.connecting.test_flow import reconcile


def test_an_order_of_a_store_connected_while_everything_ran_is_confirmed(tmp_path: Path, woo: FakeWoo) -> None:
    port = free_port()
    web, working = (make(tmp_path, base_url=f"http://127.0.0.1:{port}") for _ in range(2))
    sent = Memory()
    working.use_channel("mail", sent)
    worker = Worker(working)
    with Serving(create_app(web), port):
        assert not worker.tick()
        _, key, secret = woo.issue_key("read_write")
        values = {"url": woo.home, "consumer_key": key, "consumer_secret": secret}
        shop_id = Attempts(web).connect_now("acme", "woocommerce", "keys", values)
        worker.tick()
        reconcile(working)
        woo.place_order([(JAM, 2)], LIISA)
        woo.deliver()
        worker.drain()
        assert [message.recipient for message in sent.messages] == [LIISA.email]
        leave(web, web.config.shop(shop_id))
        worker.tick()
        woo.place_order([(JAM, 1)], LIISA)
        woo.deliver()
        worker.drain()
        assert len(sent.messages) == 1
    web.close()
    working.close()
