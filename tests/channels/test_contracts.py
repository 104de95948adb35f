"""Every adapter's request against the contract its provider publishes (../shared/data/providers)."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import requests

from connector.clock import ManualClock
from connector.model import Purpose
from connector.registry import Registry

from .contracts import SPECS, Contract
from .letters import AT, laden, letter

pytestmark = pytest.mark.skipif(not SPECS.is_dir(), reason="the providers' contracts are not beside this checkout")

CASES = {
    "resend": ("resend_emails.json", "/emails", "from"),
    "postmark": ("postmark_email.json", "/email", None),
    "sendgrid": ("sendgrid_mail.json", "/v3/mail/send", "from"),
    "mailgun": ("mailgun_messages.json", "/v3/{domain_name}/messages.mime", "to"),
    "brevo": ("brevo_smtp.json", "/smtp/email", None),
}
LATER = {"MessageStream", "Metadata"}  # younger than the converted file; the SDK's own schema below has them
MESSAGES = {
    "order": letter(),
    "marketing": letter(purpose=Purpose.REVIEW),
    "attachments": laden(),
}


def prepared(name: str, message: Any, change: Any = None) -> requests.PreparedRequest:
    own = {"domain": "mg.aurora.example"} if name == "mailgun" else {}
    channel: Any = Registry().channel(name).from_settings({"api_key": "k", **own}, ManualClock(AT))
    call = channel.call_for(message)
    options = dict(call.options)
    if change:
        change(options.get("json", options.get("files")))
    headers = {**channel.credentials("k"), **options.pop("headers", {})}
    url = channel.default_address(own) + call.path
    return requests.Request(call.method, url, headers=headers, **options).prepare()


@pytest.mark.parametrize("kind", MESSAGES)
@pytest.mark.parametrize("name", CASES)
def test_the_request_is_what_the_provider_publishes(name: str, kind: str) -> None:
    file, path, _ = CASES[name]
    faults = Contract(file).check(prepared(name, MESSAGES[kind]), path)
    known_gaps = [f for f in faults if name == "postmark" and f.removeprefix("unknown key .") in LATER]
    assert [f for f in faults if f not in known_gaps] == []


@pytest.mark.parametrize("name", CASES)
def test_the_check_notices_what_the_provider_does_not_know_and_what_it_misses(name: str) -> None:
    file, path, required = CASES[name]
    contract = Contract(file)

    def add(body: Any) -> None:
        body.append(("bogus", (None, "x"))) if isinstance(body, list) else body.update(bogus="x")

    def leave_out(body: Any) -> None:
        if isinstance(body, list):
            body[:] = [field for field in body if field[0] != required]
        else:
            del body[required]

    def bend(body: Any) -> None:
        body["subject" if "subject" in body else "Subject"] = 7

    assert any("bogus" in fault for fault in contract.check(prepared(name, letter(), add), path))
    if required:
        assert contract.check(prepared(name, letter(), leave_out), path)
    if name != "mailgun":
        assert contract.check(prepared(name, letter(), bend), path)


@pytest.mark.parametrize("kind", MESSAGES)
def test_postmarks_body_is_what_its_own_sdk_sends(kind: str) -> None:
    schema = json.loads((SPECS / "postmark_email_sdk_schema.json").read_text(encoding="utf-8"))
    body = json.loads(prepared("postmark", MESSAGES[kind]).body or b"")
    jsonschema.validate(body, schema)
    assert set(body) <= set(schema["properties"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**body, "TrackLinks": "Sometimes"}, schema)


def test_the_key_of_a_request_fits_where_it_goes() -> None:
    """Resend: at most 256 characters; Brevo: a UUID, the same at each attempt."""
    sent = prepared("resend", letter())
    assert sent.headers["Idempotency-Key"] == "k" * 24
    keys = {json.loads(prepared("brevo", letter()).body or b"")["headers"]["idempotencyKey"] for _ in range(2)}
    assert len(keys) == 1
    assert len(keys.pop()) == 36
