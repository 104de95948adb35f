"""What we send to Twilio, by Twilio's own contract."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from connector.clock import ManualClock
from connector.contracts import Message
from flows.channels.twilio import Twilio
from tests.channels.contract import Contract

PATH = "/2010-04-01/Accounts/{AccountSid}/Messages.json"
TABLE = {
    "account_sid": "AC" + "0" * 32,
    "auth_token": "t",
    "from": "+15005550006",
    "events_url": "https://kiitos.example.com/hooks/channel.texts/abc",
}


def test_the_request_is_as_twilio_publishes_it() -> None:
    contract = Contract("twilio_messages.json")
    channel = Twilio.from_settings(TABLE, ManualClock(datetime(2026, 11, 23, tzinfo=UTC)))
    message = Message(key="k" * 24, channel="sms", sender="", recipient="+358401234567", content=b"Hei!")
    call = channel.request(message)
    assert contract.problems(call, PATH) == []
    assert contract.problems(replace(call, body=call.body + b"&Bogus=1"), PATH) == ["unknown key Bogus"]
    assert contract.problems(replace(call, body=b"Body=Hei"), PATH) != []
    service = channel.request(replace(message, sender="MG" + "0" * 32))
    assert contract.problems(service, PATH) == []
