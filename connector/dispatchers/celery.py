"""Celery over Redis or RabbitMQ, for those who run one of them anyway (https://docs.celeryq.dev, 5.7).

The broker is another system than the database, so messages go out after the lease is committed; what is lost in
between, or by the broker, the end of the lease repairs. No message has an ETA (facts/engine.md §3: they pile up in
workers' memory); results are not kept; a message is acknowledged when its step is done, and expires with its lease.

Order messages go first by the broker's priorities
(https://docs.celeryq.dev/en/stable/userguide/routing.html#special-routing-options). On Redis 0 is the highest and every
queue has them. On RabbitMQ 0 is the lowest, and a queue has as many as it was declared with: the one without any that
an earlier version declared cannot be declared anew, so ours has another name, and executors empty both.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from amqp.exceptions import ChannelError
from celery import Celery as CeleryApp
from kombu.entity import Exchange, Queue
from kombu.exceptions import KombuError, OperationalError

from connector.contracts.dispatcher import Dispatcher, DueStep, Perform
from connector.errors import ConfigError, Transient, near

QUEUE = "kiitos"
TASK = "kiitos.step"
BROKERS = ("redis://", "rediss://", "amqp://", "amqps://")
RANKED = "-ranked"
_KEYS = ("kind", "lease", "threads", "listen", "broker", "queue")


def _queue(name: str, **more: Any) -> Any:
    """As Celery would declare it by itself."""
    return Queue(name, Exchange(name), name, **more)  # type: ignore[no-untyped-call]


class Celery(Dispatcher):
    """`[app.dispatcher] kind = "celery"`, `broker` (a secret: its address holds a password), `queue` (`kiitos`)."""

    name = "celery"

    def __init__(self, broker: str, queue: str = QUEUE) -> None:
        self._queue = queue
        self._worker: Any = None
        self._app: Any = CeleryApp("kiitos", broker=broker, set_as_current=False)
        self._app.conf.update(
            task_default_queue=queue,
            task_ignore_result=True,
            task_acks_late=True,
            task_serializer="json",
            accept_content=["json"],
            worker_prefetch_multiplier=1,
            worker_hijack_root_logger=False,
            worker_redirect_stdouts=False,
            worker_cancel_long_running_tasks_on_connection_loss=False,
            broker_connection_retry_on_startup=True,
            broker_transport_options={"socket_timeout": 10, "socket_connect_timeout": 5},
            broker_connection_timeout=5,
            task_publish_retry_policy={"max_retries": 1, "interval_start": 0.1, "interval_step": 0.2},
        )
        self._first, self._rest, self._emptied = 0, 3, [queue]
        if broker.startswith("amqp"):
            self._app.conf.broker_transport_options = {}
            self._first, self._rest = 1, 0
            self._queue = queue + RANKED
            self._emptied = [self._queue, queue]
            ranks: dict[str, dict[str, Any]] = {self._queue: {"queue_arguments": {"x-max-priority": 1}}, queue: {}}
            self._app.conf.task_queues = [_queue(name, **more) for name, more in ranks.items()]

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], database: str) -> Celery:
        del database
        for key in settings.keys() - {"broker", "queue"}:
            raise ConfigError(f"unknown key{near(key, _KEYS)}", where=f"app.dispatcher.{key}")
        broker = str(settings.get("broker", ""))
        if not broker.startswith(BROKERS):
            example = "redis://127.0.0.1:6379/0 or amqp://user:password@127.0.0.1:5672//"
            raise ConfigError(
                f"should be the address of Redis or RabbitMQ, such as {example}", where="app.dispatcher.broker"
            )
        return cls(broker, str(settings.get("queue", QUEUE)))

    def waiting(self) -> int:
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0.1)
                channel = connection.default_channel
                self._app.amqp.queues[self._queue](channel).declare()
                return int(channel.queue_declare(self._queue, passive=True).message_count)
        except ChannelError:
            return 0  # Redis has no such thing as an empty queue
        except (KombuError, OperationalError, OSError) as error:
            raise Transient(f"the broker cannot be reached: {type(error).__name__}") from error

    def publish(self, due: Sequence[DueStep], lease: timedelta) -> None:
        try:
            with self._app.producer_pool.acquire(block=True) as producer:
                for step in due:
                    self._app.send_task(
                        TASK,
                        args=[step.message],
                        task_id=step.id,
                        queue=self._queue,
                        priority=self._first if step.first else self._rest,
                        expires=lease.total_seconds(),
                        producer=producer,
                    )
        except (KombuError, OperationalError, OSError) as error:
            raise Transient(f"the broker took no message: {type(error).__name__}") from error

    def execute(self, perform: Perform, threads: int) -> None:
        def step(due: list[Any]) -> None:
            perform(DueStep(*due))

        logging.getLogger("celery").setLevel(logging.WARNING)  # it has two lines a task
        self._app.task(step, name=TASK, ignore_result=True)
        self._worker = self._app.Worker(
            pool="threads",
            concurrency=threads,
            queues=self._emptied,
            without_mingle=True,
            without_gossip=True,
            without_heartbeat=False,
            loglevel="WARNING",
        )
        self._worker.start()

    def stop(self) -> None:
        if self._worker is not None:
            from celery.worker import state

            state.should_stop = 0

    def close(self) -> None:
        self._app.close()
