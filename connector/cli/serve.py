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
    from connector.serve import run_server

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
@click.pass_obj
def worker(app: App, once: bool) -> None:
    """Turn deliveries into events, move flows, send messages, ask shops for what webhooks lost.

    \b
    Example:
      kiitos worker --once     drain and stop, for cron or a test
    """
    from connector.ledger import Ledger
    from connector.log import configure
    from connector.reconciliation import Reconciler
    from connector.watching.keeping_house import make_warden
    from connector.worker import Worker

    configure(level=app.config.app.log_level.upper(), form=app.config.app.seeing.log_format)
    ledger = Ledger.of(app.config.app.database, app.config.directory, app.kiitos.clock)
    working = Worker(app.kiitos, ledger, Reconciler(app.kiitos))
    working.adopting = True
    if once:
        if not working.watch.trusted():
            ledger.close()
            click.echo("the clock jumped and is not believed; if it is right: kiitos clock confirm", err=True)
            raise click.exceptions.Exit(1)
        done = working.drain()
        ledger.close()
        click.echo(f"{done.deliveries} deliveries, {done.runs} runs woken, {done.effects} effects")
        return
    stopping = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    warden = make_warden(app.kiitos, working)
    warden.start()
    working.run(warden.watched(lambda: stopping))
    warden.close()
    ledger.close()
    app.kiitos.close()
