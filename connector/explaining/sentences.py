"""Lines of a run's diary, as sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping


def sentence(what: str, step: str, detail: Mapping[str, str]) -> str:
    """A line of a run's diary; `what` and `detail` as `flows.engine.JournalEntry` has them."""
    match what:
        case "started":
            return f"started by {detail.get('kind', '')}"
        case "not_started":
            return f"not started by {detail.get('event', '')}: {detail.get('rule', '')} (saw {detail.get('saw', '')})"
        case "skipped":
            path = " ".join(str(detail.get(part, "")) for part in ("path", "op", "wanted"))
            return f"step {step} passed over: {path} (saw {detail.get('saw', '')})"
        case "moved":
            return _moved(step, detail)
        case "passed":
            return f"step {step} not met again: {detail.get('why', '')}"
        case "cancelled" if detail.get("not_sent"):
            return f"cancelled: {detail.get('reason', '')}; therefore not sent: {detail['not_sent']}"
        case _:
            rest = ", ".join(f"{name} {value}" for name, value in detail.items() if value)
            return " ".join(part for part in (f"step {step}" if step else "", what.replace("_", " "), rest) if part)


def _moved(step: str, detail: Mapping[str, str]) -> str:
    text = f"moved to version {detail.get('to', '')} of the flow ({detail.get('how', '')}), on at step {step}"
    was = f", was at {detail['was_at']}" if detail.get("was_at") else ""
    return text + was + (f"; never meets {detail['passed']}" if detail.get("passed") else "")
