"""`kiitos serve` and `kiitos worker`: the two processes of a running installation."""

from __future__ import annotations

import signal
from types import FrameType

import click

from connector.cli.context import App


@click.command()
@click.option("--host", help="Address to listen on; default from app.listen.")
@click.option("--port", type=int, help="Port to listen on; default from app.listen.")
@click.pass_obj
def serve(app: App, host: str | None, port: int | None) -> None:
    """Take webhooks and serve the hosted pages.

    \b
    Example:
      kiitos serve --host 0.0.0.0 --port 8321
    """
    from connector.serving.serve import run_server

    settings = app.config.app
    run_server(
        "connector.app:from_path",
        host or settings.host,
        port or settings.port,
        config=str(app.path),
        log_level=settings.log_level.upper(),
        log_format=settings.seeing.log_format,
    )


@click.command()
@click.option("--once", is_flag=True, help="Do what is due now, then stop.")
@click.option("--steps", is_flag=True, help="Only do due steps that other workers hand out ([app.dispatcher]).")
@click.option("--listen", default="", help="Tell of itself at host:port, in place of the port in app.toml.")
@click.pass_obj
def worker(app: App, once: bool, steps: bool, listen: str) -> None:
    """Turn deliveries into events, move flows, send messages, ask shops for what webhooks lost.

    \b
    Examples:
      kiitos worker --once     drain and stop, for cron or a test
      kiitos worker --steps    do the steps that Procrastinate or Celery brings
    """
    if steps:
        execute_steps(app, listen)
        return
    from connector import tracing
    from connector.keeping.ledgers import WORKER, announce
    from connector.ledger import Ledger
    from connector.log import configure
    from connector.reconciliation import Reconciler
    from connector.send_ledger import SendLedger
    from connector.watching.keeping_house import of_worker
    from connector.worker import Worker
    from connector.working.dispatching import dispatcher_of

    configure(level=app.config.app.log_level.upper(), form=app.config.app.seeing.log_format)
    clock = app.kiitos.clock
    ledger = Ledger.of(app.config.app.database, app.config.directory, clock, SendLedger.of(app.config.backup, clock))
    announce(app.kiitos.store, app.config, clock, WORKER)
    # Once is once: what is due is done here, for there may be no executor.
    dispatcher = None if once else dispatcher_of(app.kiitos)
    if dispatcher is not None:
        dispatcher.prepare()
    working = Worker(app.kiitos, ledger, Reconciler(app.kiitos), dispatcher)
    working.adopting = True
    working.watch.shared = app.kiitos.store.dialect == "postgres"
    traces = app.config.app.seeing.traces
    tracing.configure(traces.endpoint, "worker", share=traces.share, headers=traces.headers)
    if once:
        if not working.watch.trusted():
            ledger.close()
            click.echo("the clock jumped and is not believed; if it is right: kiitos clock confirm", err=True)
            raise click.exceptions.Exit(1)
        working.integrity.check_the_rest()
        done = working.drain()
        working.intake.claims.close()
        tracing.close()
        ledger.close()
        click.echo(f"{done.deliveries} deliveries, {done.runs} runs woken, {done.effects} effects")
        return
    stopping = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    warden = of_worker(app.kiitos, working, listen)
    warden.start()
    working.run(warden.watched(lambda: stopping))
    warden.close()
    tracing.close()
    ledger.close()
    app.kiitos.close()


def execute_steps(app: App, listen: str = "") -> None:
    """`kiitos worker --steps`, until SIGTERM; 1 when nothing hands steps out."""
    from connector import tracing
    from connector.log import configure
    from connector.watching.keeping_house import of_executor
    from connector.working.dispatching import Executing, dispatcher_of

    configure(level=app.config.app.log_level.upper(), form=app.config.app.seeing.log_format)
    dispatcher = dispatcher_of(app.kiitos)
    if dispatcher.inline:
        text = 'app.dispatcher: workers do due steps themselves; --steps is for kind = "procrastinate" or "celery"'
        click.echo(text, err=True)
        raise click.exceptions.Exit(1)
    dispatcher.prepare()
    traces = app.config.app.seeing.traces
    tracing.configure(traces.endpoint, "steps", share=traces.share, headers=traces.headers)
    executing = Executing(app.kiitos)
    warden = of_executor(app.kiitos, executing, dispatcher, listen)
    warden.start()
    dispatcher.execute(executing.carry_out, app.config.app.dispatcher.threads)
    warden.close()
    tracing.close()
    dispatcher.close()
    app.kiitos.close()
