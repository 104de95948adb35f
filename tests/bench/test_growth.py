"""The growing database: copies are whole orders of their own; the plot and the table tell what was measured."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import cloning, plot
from bench.cloning import Template
from bench.phases import growth
from connector.store import Store
from connector.store.sqlite import Sqlite

ORDER, RUN = "3000000000007", "01m81whrj9w6nyx0c49azcqbkj"
COPIES = 50
_NOW = "2026-11-22T09:00:00.000000Z"


def one_order(folder: Path) -> None:
    """An order as a worker leaves it: one delivery, two events, a run asleep, a message sent."""
    Store.open(f"sqlite:///{folder}/kiitos.db", inbox_url=f"sqlite:///{folder}/inbox.db").close()
    inbox = Sqlite(folder / "inbox.db").open()
    _insert(
        inbox, "inbox", id=1, shop_id="s", platform="shopify", topic="orders/create", dedup_key="uuid-000000000000",
        received_at=_NOW, quarantine="", headers="{}", encoding=0, body=b"{}",
    )  # fmt: skip
    inbox.conn.close()
    work = Sqlite(folder / "kiitos.db").open()
    _insert(
        work, "orders", shop_id="s", order_id=ORDER, number="#B7", email_key="seven@example.com",
        customer_id="5000000000007", updated_at=_NOW, snapshot=f'{{"id":"{ORDER}","number":"#B7"}}',
    )  # fmt: skip
    for kind in ("created", "updated"):
        _insert(
            work, "events", shop_id="s", event_key=f"order/{ORDER}/{kind}", kind=f"order.{kind}", subject_kind="order",
            subject_id=ORDER, order_id=ORDER, at=_NOW, recorded_at=_NOW, delivery_id=1, data="{}",
        )  # fmt: skip
    _insert(work, "delivery_progress", shop_id="s", delivery_id=1, status="done", attempts=1, due_at=_NOW)
    _insert(
        work, "runs", shop_id="s", run_id=RUN, flow_id="f", version="1", subject_kind="order", subject_id=ORDER,
        entry_key=f"order/{ORDER}", status="sleeping", step=0, created_at=_NOW, updated_at=_NOW, order_id=ORDER,
        email_key="seven@example.com", wake_at=_NOW, awaiting="[]", event="{}", outcomes="{}", acted=0,
        reason="", rev=1,
    )  # fmt: skip
    _insert(work, "journal", shop_id="s", run_id=RUN, at=_NOW, step_id="", what="started", detail="it's begun")
    _insert(
        work, "effects", shop_id="s", effect_id=f"{RUN}:send", run_id=RUN, flow_id="f", version="1", step_id="send",
        kind="message", purpose="transactional", priority=0, request="{}", status="sent", due_at=_NOW, created_at=_NOW,
        order_id=ORDER, channel="email", attempts=1, tainted=0, recipient="seven@example.com",
        recipient_key="seven@example.com", sender="", subject="Order #B7", provider_id="", reason="", result="{}",
        message_key="h9asxggscqa00vd7sp4v3wx6",
    )  # fmt: skip
    _insert(work, "effect_contents", shop_id="s", effect_id=f"{RUN}:send", encoding=1, content=b"long")
    work.conn.execute("INSERT OR REPLACE INTO inbox_cursor (name, last_id) VALUES ('inbox', 1)")
    work.conn.commit()
    work.conn.close()


def _insert(database: object, table: str, **row: object) -> None:
    marks = ", ".join("?" * len(row))
    connection = database.conn  # type: ignore[attr-defined]
    connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
    connection.commit()


@pytest.fixture
def grown(tmp_path: Path) -> Path:
    one_order(tmp_path)
    template = cloning.read_template(tmp_path, ORDER)
    cloning.grow(tmp_path, template, 1, 1 + COPIES // 2)
    cloning.grow(tmp_path, template, 1 + COPIES // 2, 1 + COPIES)
    return tmp_path


def rows(folder: Path, statement: str, database: str = "kiitos.db") -> list[tuple[object, ...]]:
    connection = Sqlite(folder / database).open().conn
    try:
        return [tuple(row) for row in connection.execute(statement).fetchall()]
    finally:
        connection.close()


def test_every_copy_is_an_order_of_its_own(grown: Path) -> None:
    counts = {table: rows(grown, f"SELECT COUNT(*) FROM {table}")[0][0] for table in cloning.WORK_TABLES}
    assert counts == {table: (1 + COPIES) * (2 if table == "events" else 1) for table in cloning.WORK_TABLES}
    whole = rows(
        grown,
        "SELECT o.order_id FROM orders o JOIN runs r ON r.order_id = o.order_id AND r.email_key = o.email_key"
        " JOIN journal j ON j.run_id = r.run_id JOIN effects e ON e.run_id = r.run_id AND e.order_id = o.order_id"
        " JOIN effect_contents c ON c.effect_id = e.effect_id JOIN events v ON v.order_id = o.order_id"
        " AND v.event_key = 'order/' || o.order_id || '/created'"
        " JOIN delivery_progress d ON d.delivery_id = v.delivery_id"
        " WHERE o.snapshot LIKE '%' || o.order_id || '%' || o.number || '%' AND e.subject = 'Order ' || o.number",
    )
    assert Counter(whole).most_common(1)[0][1] == 1
    assert len(whole) == 1 + COPIES


def test_what_was_copied_is_not_taken_in_again(grown: Path) -> None:
    last, count = rows(grown, "SELECT MAX(id), COUNT(DISTINCT dedup_key) FROM inbox", "inbox.db")[0]
    assert rows(grown, "SELECT last_id FROM inbox_cursor")[0][0] == last == 1 + COPIES
    assert count == 1 + COPIES


def test_copies_sleep_longer_than_what_is_measured(grown: Path) -> None:
    moments = [str(moment) for (moment,) in rows(grown, "SELECT wake_at FROM runs ORDER BY wake_at")]
    assert moments[0] == _NOW
    assert moments[1] > "2026-12-31"
    assert len(set(moments)) == 1 + COPIES
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", moment) for moment in moments)


def test_quotes_and_blobs_survive_and_contents_are_empty(grown: Path) -> None:
    assert {text for (text,) in rows(grown, "SELECT detail FROM journal")} == {"it's begun"}
    assert rows(grown, "SELECT COUNT(*) FROM effect_contents WHERE length(content) = 0")[0][0] == COPIES


def test_the_database_is_whole_and_in_its_usual_mode(grown: Path) -> None:
    assert rows(grown, "PRAGMA integrity_check") == [("ok",)]
    assert rows(grown, "PRAGMA journal_mode") == [("wal",)]


def test_an_order_nobody_took_in_is_no_template(tmp_path: Path) -> None:
    one_order(tmp_path)
    with pytest.raises(ValueError, match="no rows to copy"):
        cloning.read_template(tmp_path, "nobody")


def test_a_name_inside_another_is_not_cut_out(tmp_path: Path) -> None:
    template = Template(ORDER, 1, {}, {"12": "a", "123": "b"})
    assert cloning.expression(template, "orders", "number", "x123y12", 0) == "'x' || (b) || 'y' || (a)"


FOUND = {
    10: dict.fromkeys(growth.SHOWN, 0.001) | {"foreign": 0.0},
    1000: dict.fromkeys(growth.SHOWN, 0.003) | {"foreign": 0.0, "ack_s": 0.001},
}


def test_growth_is_the_largest_over_the_smallest() -> None:
    found = growth.ratios(FOUND)
    assert found["ack_s"] == pytest.approx(1)
    assert found["wake_each_s"] == pytest.approx(3)
    assert "| waking one run | 1 | 3 | 3.00 |" in growth.table(FOUND)


def test_the_plot_is_svg_with_a_line_and_a_label_each() -> None:
    text = plot.draw("a < b", "orders", "ms", {"one": [(10, 1.0), (1000, 2.0)], "two": [(10, 1.0), (1000, 2.0)]})
    root = ElementTree.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f"{space}polyline")) == 2
    labels = {
        node.text: float(node.get("y", "0")) for node in root.findall(f"{space}text") if node.text in ("one", "two")
    }
    assert abs(labels["one"] - labels["two"]) >= 18


@pytest.mark.parametrize("lines", [{}, {"one": []}, {"one": [(10, 0.0)]}])
def test_what_has_no_logarithm_is_not_drawn(lines: dict[str, list[tuple[float, float]]]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        plot.draw("title", "x", "y", lines)
