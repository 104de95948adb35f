"""scripts/shopify_schema.py finds the schema, fetches it, or says in one line why not."""

from __future__ import annotations

import gzip
import importlib.util
import io
import json
import tarfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from graphql import build_schema, introspection_from_schema

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "shopify_schema.py"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("shopify_schema", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "CACHE", tmp_path / "cache")
    return module


def package(folder: Path, member: str, body: bytes) -> Path:
    path = folder / "dev-mcp.tgz"
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo(f"package/dist/{member}")
        entry.size = len(body)
        archive.addfile(entry, io.BytesIO(body))
    return path


def test_prints_the_file_that_is_there(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    there = tmp_path / "some.graphql.gz"
    there.write_bytes(b"")
    monkeypatch.setenv("KIITOS_SHOPIFY_SCHEMA", str(there))
    assert script.main([]) == 0
    assert capsys.readouterr().out == f"{there}\n"


def test_fetches_converts_and_keeps(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    told = {"data": introspection_from_schema(build_schema("type Query { shop: String! }"))}
    made = package(tmp_path, script.MEMBER, gzip.compress(json.dumps(told).encode()))
    monkeypatch.setattr(script, "pack", lambda folder: made)
    assert script.main(["--fetch"]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path == tmp_path / "cache" / "admin_schema_2026-10.graphql.gz"
    assert "shop: String!" in gzip.decompress(path.read_bytes()).decode()
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("fault", ["no npm", "npm fails", "other package"])
def test_says_in_one_line_why_not(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any, fault: str
) -> None:
    npm = {"no npm": None, "npm fails": "/bin/false"}.get(fault)
    if fault == "other package":
        made = package(tmp_path, "data/other.json", b"")
        monkeypatch.setattr(script, "pack", lambda folder: made)
    else:
        monkeypatch.setattr(script.shutil, "which", lambda name: npm)
    assert script.main(["--fetch"]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("no Shopify schema: ")
    assert told.err.count("\n") == 1
    assert not (tmp_path / "cache").exists()
