"""Dockerfile, compose file, systemd units and bill of materials, each by the tool that reads it, where it is there."""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from connector.cli import cli
from connector.cli.init import FORMS, first_app
from connector.clock import SystemClock
from connector.config import load_config
from flows.channels.smtp import Smtp
from scripts import sbom
from tests.docs.documents import ROOT, documents

DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
UNITS = sorted(path.name for path in (DEPLOY / "systemd").glob("*.service"))
TOOLS = Path(sys.executable).parent


def locked(name: str = "requirements.lock") -> dict[str, str]:
    text = (ROOT / name).read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", text, re.MULTILINE | re.IGNORECASE))


# -- the image ---------------------------------------------------------------------------------------------------------


def lint(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TOOLS / "hadolint", "-"], input=text, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_dockerfile_is_sound() -> None:
    found = lint(DOCKERFILE)
    assert (found.returncode, found.stdout) == (0, "")


def test_an_unsound_dockerfile_would_be_found() -> None:
    assert "DL3006" in lint("FROM python\nRUN cd /tmp\n").stdout


def test_the_image_runs_as_a_user_of_its_own_and_is_built_by_the_locked_backend() -> None:
    assert re.search(r"^USER 10001$", DOCKERFILE, re.MULTILINE)
    assert f"hatchling=={locked('requirements-dev.lock')['hatchling']}" in DOCKERFILE
    assert "--require-hashes -r requirements-image.lock" in DOCKERFILE


def test_what_the_image_is_built_from_is_let_in() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    names = {name for words in copied for name in words.split()}
    assert names == let_in
    assert all((ROOT / name).exists() for name in names)


# -- compose -----------------------------------------------------------------------------------------------------------


def test_compose_has_what_an_installation_needs() -> None:
    assert set(COMPOSE["services"]) == {"web", "worker", "steps", "db", "mail"}
    assert [name for name, one in COMPOSE["services"].items() if "profiles" in one] == ["steps"]
    for name in ("web", "worker", "steps"):
        service = COMPOSE["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["depends_on"]["db"]["condition"] == "service_healthy"
        words = service["command"]
        assert cli.get_command(None, words[0]) is not None  # type: ignore[arg-type]
    assert all(port.startswith("127.0.0.1:") for one in COMPOSE["services"].values() for port in one.get("ports", []))


def composed(**environ: str) -> dict[str, str]:
    """What compose puts into a worker's environment, with `environ` for deploy/.env: `${NAME}`, `:-` and `:?`."""

    def value(match: re.Match[str]) -> str:
        name, sign, rest = match.groups()
        if environ.get(name):
            return environ[name]
        assert sign == ":-", f"compose would ask for {name}: {rest}"
        return rest

    table = COMPOSE["services"]["worker"]["environment"]
    return {name: re.sub(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}", value, text) for name, text in table.items()}


KEY = "k1=" + "A" * 43 + "="


def test_the_file_for_containers_takes_what_compose_gives(tmp_path: Path) -> None:
    (tmp_path / "app.toml").write_text(first_app("container"), "utf-8")
    given = composed(KIITOS_DB_PASSWORD="x", KIITOS_MASTER_KEY=KEY)
    config = load_config(tmp_path / "app.toml", given)
    mail = Smtp.from_settings(config.channels["mail"], SystemClock())._pool.server
    assert (mail.host, mail.port, mail.tls) == ("mail", 1025, "none")
    assert (config.app.host, config.app.seeing.worker_listen) == ("0.0.0.0", "0.0.0.0:8322")
    assert config.app.database.startswith("postgresql://")


def test_the_send_ledger_of_containers_lies_on_a_volume(tmp_path: Path) -> None:
    home = Path("/var/lib/kiitos")
    (tmp_path / "app.toml").write_text(first_app("container"), "utf-8")
    given = {"KIITOS_DATABASE": "postgresql://kiitos:x@db/kiitos", "KIITOS_SMTP": "smtp://mail:1025"}
    config = load_config(tmp_path / "app.toml", given | {"KIITOS_MASTER_KEY": "k1=" + "A" * 43 + "="})
    assert config.ledger_folder is not None
    folder = home / config.ledger_folder.relative_to(tmp_path)
    kamal = yaml.safe_load((DEPLOY / "kamal" / "deploy.yml").read_text("utf-8"))
    for volumes in (*(COMPOSE["services"][name]["volumes"] for name in ("web", "worker")), kamal["volumes"]):
        assert any(folder.is_relative_to(volume.split(":")[1]) for volume in volumes)


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_first_file_has_no_faults_and_is_never_written_over(form: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["init", str(tmp_path), "--for", form])
    assert result.exit_code == 0
    environ = dict.fromkeys(("KIITOS_SMTP", "KIITOS_DATABASE", "KIITOS_MASTER_KEY"), "smtp://127.0.0.1:9")
    assert load_config(tmp_path / "app.toml", environ, generate=False).shops == {}
    assert "@" not in re.sub(r"\w@\w|<[^>]*>", "", (tmp_path / "app.toml").read_text("utf-8"))
    assert CliRunner().invoke(cli, ["init", str(tmp_path)]).exit_code == 1


# -- Kamal -------------------------------------------------------------------------------------------------------------

ROLE = {"hosts", "cmd", "stop_timeout", "options", "logging", "proxy", "labels", "env", "asset_path"}
KAMAL: dict[str, set[str]] = {
    "": {
        *("service", "image", "labels", "volumes", "registry", "servers", "env", "asset_path", "hooks_path", "boot"),
        *("secrets_path", "error_pages_path", "require_destination", "primary_role", "allow_empty_roles", "aliases"),
        *("retain_containers", "minimum_version", "readiness_delay", "deploy_timeout", "drain_timeout", "logging"),
        *("stop_timeout", "run_directory", "ssh", "builder", "accessories", "proxy", "sshkit", "output"),
    },
    "servers.web": ROLE,
    "servers.worker": ROLE,
    "proxy": {
        *("host", "hosts", "app_port", "ssl", "ssl_redirect", "forward_headers", "response_timeout", "path_prefix"),
        *("strip_path_prefix", "healthcheck", "buffering", "logging", "run"),
    },
    "proxy.healthcheck": {"interval", "path", "timeout"},
    "proxy.buffering": {"requests", "responses", "max_request_body", "max_response_body", "memory"},
    "env": {"clear", "secret", "tags"},
    "servers.worker.env": {"clear", "secret", "tags"},
    "builder": {"arch", "remote", "local", "cache", "context", "dockerfile", "target", "args", "secrets"},
    "registry": {"server", "username", "password"},
}
"""Keys by place, from lib/kamal/configuration/docs of Kamal 2.12.0 (https://kamal-deploy.org/docs/configuration)."""


def strange(document: dict[str, Any], place: str = "") -> list[str]:
    """Keys that Kamal does not document."""
    found = [f"{place}.{name}" for name in document if place in KAMAL and name not in KAMAL[place]]
    for name, value in document.items():
        if isinstance(value, dict):
            found += strange(value, f"{place}.{name}".strip("."))
    return found


def test_kamal_knows_every_key_and_gives_what_the_file_for_containers_takes() -> None:
    found = yaml.safe_load((DEPLOY / "kamal" / "deploy.yml").read_text("utf-8"))
    assert strange(found) == []
    assert strange(found | {"volume": []}) == [".volume"]
    assert [found["servers"][role]["cmd"] for role in ("web", "worker")] == ["serve", "worker"]
    assert found["builder"]["dockerfile"] == "deploy/Dockerfile"
    assert (ROOT / found["builder"]["context"] / "pyproject.toml").exists()
    given = set(COMPOSE["services"]["web"]["environment"])
    assert set(found["env"]["secret"]) == given
    health = COMPOSE["services"]["worker"]["environment"]["KIITOS_HEALTH"]
    assert found["servers"]["worker"]["env"]["clear"] == {"KIITOS_HEALTH": health}
    assert found["proxy"]["app_port"] == 8321
    assert found["volumes"][0].endswith(":/var/lib/kiitos")


# -- systemd -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit whose program is there, as it would be on the server."""
    text = (DEPLOY / "systemd" / request.param).read_text("utf-8")
    path = tmp_path / request.param
    path.write_text(text.replace("/usr/local/kiitos/bin/kiitos", str(TOOLS / "kiitos")), "utf-8")
    return path


def analyse(*words: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("unit", UNITS, indirect=True)
def test_systemd_takes_the_unit(unit: Path) -> None:
    found = analyse("verify", "--man=no", str(unit))
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, indirect=True)
def test_the_unit_is_shut_in(unit: Path) -> None:
    told = analyse("security", "--offline=true", "--no-pager", str(unit)).stdout
    found = re.search(r"exposure level for \S+: ([\d.]+)", told)
    assert found is not None, told
    assert float(found[1]) < 2.0


@pytest.mark.parametrize("unit", UNITS[:1], indirect=True)
def test_a_wrong_unit_would_be_found(unit: Path) -> None:
    unit.write_text(unit.read_text("utf-8").replace("ExecStart=/", "ExecStart=/nowhere/"), "utf-8")
    assert analyse("verify", "--man=no", str(unit)).returncode != 0


def test_units_start_commands_there_are() -> None:
    commands = {
        "kiitos-backup.service": "backup",
        "kiitos-executor.service": "worker --steps",
        "kiitos-litestream.service": "backup stream",
        "kiitos-serve.service": "serve",
        "kiitos-worker.service": "worker",
    }
    assert sorted(commands) == UNITS
    for name in UNITS:
        text = (DEPLOY / "systemd" / name).read_text("utf-8")
        command = re.search(r"^ExecStart=\S+ -c \S+ ([\w -]+)$", text, re.MULTILINE)
        assert command is not None
        assert command[1] == commands[name]
        assert ("WatchdogSec" in text) == ("Type=notify" in text) == commands[name].startswith("worker")
        # The send ledger asks for the machine's boot id, which this setting would hide.
        assert "ProcSubset=pid" not in text


def test_the_timer_starts_a_backup_a_night(tmp_path: Path) -> None:
    for name in ("kiitos-backup.service", "kiitos-backup.timer"):
        text = (DEPLOY / "systemd" / name).read_text("utf-8")
        (tmp_path / name).write_text(text.replace("/usr/local/kiitos/bin/kiitos", str(TOOLS / "kiitos")), "utf-8")
    timer = tmp_path / "kiitos-backup.timer"
    found = analyse("verify", "--man=no", str(timer))
    assert (found.returncode, found.stderr) == (0, "")
    (when,) = re.findall(r"^OnCalendar=(.+)$", timer.read_text("utf-8"), re.MULTILINE)
    assert "Normalized form: *-*-* 03:30:00" in analyse("calendar", when).stdout
    timer.write_text(timer.read_text("utf-8").replace("03:30", "27:30"), "utf-8")
    assert "27:30" in analyse("verify", "--man=no", str(timer)).stderr, "a time that never comes would be found"


def test_the_folders_beside_the_database_may_be_written_to() -> None:
    """The units shut everything else, so what the documents name must be among what they open."""
    pages = {path: path.read_text("utf-8") for path in documents()}
    named = {match for text in pages.values() for match in re.findall(r'= "/var/lib/(kiitos-\w+)"', text)}
    opened: dict[str, set[str]] = {}
    for name in UNITS:
        (line,) = re.findall(r"^StateDirectory=(.+)$", (DEPLOY / "systemd" / name).read_text("utf-8"), re.MULTILINE)
        opened[name] = set(line.split())
    assert named == {"kiitos-sent", "kiitos-copies"}
    assert {name for name, found in opened.items() if "kiitos-sent" in found} == {
        "kiitos-serve.service",
        "kiitos-worker.service",
    }
    assert {name for name, found in opened.items() if "kiitos-copies" in found} == {"kiitos-backup.service"}


def test_the_command_for_root_has_the_services_folder_secrets_and_file(tmp_path: Path) -> None:
    """`deploy/systemd/kiitos`, with folders of the test's own and with the user who runs it."""
    me = pwd.getpwuid(os.getuid())
    group = grp.getgrgid(me.pw_gid).gr_name
    text = (DEPLOY / "systemd" / "kiitos").read_text("utf-8")
    for old, new in (
        ("/usr/local/kiitos/bin/kiitos", str(tmp_path / "told")),
        ("/etc/kiitos/environment", str(tmp_path / "environment")),
        ("/var/lib/kiitos", str(tmp_path)),
        ("--reuid=kiitos --regid=kiitos --init-groups", f"--reuid={me.pw_name} --regid={group} --keep-groups"),
    ):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "told").write_text('#!/bin/sh\necho "$PWD|$KIITOS_CONFIG|$KIITOS_SMTP|$(umask)|$*"\n', "utf-8")
    (tmp_path / "told").chmod(0o755)
    (tmp_path / "environment").write_text("KIITOS_SMTP='smtps://u:p%40&$x@mail.example'\n", "utf-8")
    done = subprocess.run(
        ["sh", "-c", text, "kiitos", "shops", "list", "a b"],
        env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    wanted = f"{tmp_path}|{tmp_path}/app.toml|smtps://u:p%40&$x@mail.example|0077|shops list a b\n"
    assert (done.stdout, done.stderr) == (wanted, "")


# -- the bill of materials ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", [sbom.LOCKS[name] for name in sorted(sbom.LOCKS)])
def test_a_bill_of_materials_is_its_lock_and_the_same_each_time(lock: str, tmp_path: Path) -> None:
    sbom.write(tmp_path / "one.json", lock)
    found = json.loads((tmp_path / "one.json").read_text("utf-8"))
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
    assert found["metadata"]["component"]["name"] == "kiitos"
    assert {one["name"].lower(): one["version"] for one in found["components"]} == {
        name.lower(): version for name, version in locked(lock).items()
    }
    assert "serialNumber" not in found
    assert "timestamp" not in found["metadata"]


def test_there_is_a_bill_of_materials_for_the_wheel_and_for_the_image() -> None:
    assert sbom.LOCKS == {"kiitos.cdx.json": "requirements.lock", "kiitos-image.cdx.json": "requirements-image.lock"}
    assert sbom.LOCKS["kiitos-image.cdx.json"] in DOCKERFILE
