"""The product under test itself: what it leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kill.product import Product, free_port


def test_a_start_that_fails_leaves_no_process_behind(tmp_path: Path) -> None:
    waits = "until [ -s pid ]; do sleep 0.02; done; exit 1"
    product = Product(tmp_path, free_port(), ["sh", "-c", waits], ["sh", "-c", "echo $$ > pid; exec sleep 600"], [])
    with pytest.raises(RuntimeError, match="ended with 1"):
        product.start()
    assert product.running == []
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()
