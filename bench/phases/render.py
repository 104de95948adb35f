"""Phase E: CPU of one rendered message, step by step, beside the least Python can do."""

from __future__ import annotations

from bench import corpus, ours, render_floor, stats
from bench.phases.floors import per_call_us
from bench.plan import Bench

BODIES = 50


def _cycle_us(call: object, bodies: list[bytes]) -> float:
    """CPU microseconds per body; all of `bodies` in turn, so that no cache of one message flatters."""
    return per_call_us(lambda: [call(body) for body in bodies], seconds=0.5) / len(bodies)  # type: ignore[operator]


def _rows_hold(message: bytes, body: bytes) -> bool:
    """A template whose loop was moved out of its table renders no rows, fast: that would measure a broken e-mail."""
    from email import message_from_bytes, policy

    part = message_from_bytes(message, policy=policy.default).get_body(("html",))
    text = part.get_content() if part is not None else ""
    import json

    return all(line["sku"] in text or line["title"] in text for line in json.loads(body)["line_items"])


def run(bench: Bench) -> None:
    bodies = [body for _, body in corpus.read(bench.corpus())[:BODIES]]
    if not _rows_hold(render_floor.message_of(bodies[0]), bodies[0]):
        raise RuntimeError("the render floor does not show all line items")
    try:
        steps = ours.render_steps()
    except ImportError as error:
        bench.results.remark(f"render: ours left out: {error}")
        steps = {}
    whole = steps.get("whole")
    if whole is not None and not _rows_hold(whole(bodies[0]), bodies[0]):  # type: ignore[arg-type]
        raise RuntimeError("the rendered confirmation does not show all line items: this would measure a broken e-mail")
    rounds: dict[str, list[float]] = {}
    for _ in range(bench.plan.rounds):
        for name, call in {"floor": render_floor.message_of, **steps}.items():
            rounds.setdefault(name, []).append(_cycle_us(call, bodies))
    for name, values in rounds.items():
        bench.results.put(f"render.{name}.cpu_us", values, "us/message")
    if "whole" in rounds:
        ratios = [stats.ratio(a, b) for a, b in zip(rounds["whole"], rounds["floor"], strict=True)]
        bench.results.put("render.whole_over_floor", ratios, "x")
