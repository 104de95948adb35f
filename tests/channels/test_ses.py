"""Amazon SES over SMTP: its headers on the wire, its id out of its answer. And one domain over few connections."""

from __future__ import annotations

import threading

import pytest

from connector.clock import SystemClock
from connector.contracts import Accepted, Scope
from connector.contracts.connecting import Verdict
from connector.errors import ConfigError
from connector.segments import Segmented
from flows.channels.ses import _ANSWER, Ses
from flows.channels.smtp_pool import _Deal

from .conftest import free_port, message
from .letters import letter

LOCAL = {"host": "127.0.0.1", "tls": "none", "timeout": 5}


def test_tags_go_before_the_message_which_stays_as_it_was(start):
    server = start()
    channel = Ses.from_settings({**LOCAL, "port": server.port, "configuration_set": "kiitos"}, SystemClock())
    sent = letter()
    (outcome,) = list(channel.send_all([sent]))
    channel.close()
    assert isinstance(outcome, Accepted)
    (body,) = server.bodies
    head = f"X-SES-CONFIGURATION-SET: kiitos\r\nX-SES-MESSAGE-TAGS: kiitos={sent.key}, purpose=transactional\r\n"
    assert body == head.encode() + bytes(sent.content) or body == head.encode() + bytes(sent.content).removesuffix(
        b"\r\n"
    )
    assert isinstance(sent.content, Segmented)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("Ok 010f0170b0c6d6a9-1b2c-4d5e-000000", "010f0170b0c6d6a9-1b2c-4d5e-000000"),
        ("2.0.0 Ok 010f0170b0c6d6a9", "010f0170b0c6d6a9"),
    ],
)
def test_the_id_is_what_its_events_name_the_message_by(said, found):
    assert _ANSWER.match(said)[1] == found


def test_a_server_that_is_down_stops_the_account(start):
    channel = Ses.from_settings({**LOCAL, "port": free_port()}, SystemClock())
    outcomes = list(channel.send_all([letter("a"), letter("b")]))
    assert {o.scope for o in outcomes} == {Scope.ACCOUNT}
    (finding,) = channel.check("orders@aurora.example")
    assert (finding.code, finding.verdict) == ("unreachable", Verdict.FAIL)
    server = start()
    (finding,) = Ses.from_settings({**LOCAL, "port": server.port}, SystemClock()).check("orders@aurora.example")
    assert finding.verdict is Verdict.OK


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({}, "region"),
        ({"region": "Stockholm"}, "region"),
        ({"region": "eu-north-1", "configuration_set": "a b"}, "configuration_set"),
        ({"region": "eu-north-1", "api_key": "x"}, "api_key"),
    ],
)
def test_a_fault_of_the_table_is_named(settings, where):
    with pytest.raises(ConfigError) as fault:
        Ses.from_settings(settings, SystemClock())
    assert fault.value.where == where


def test_a_region_is_enough():
    channel = Ses.from_settings({"region": "eu-north-1", "username": "u", "password": "p"}, SystemClock())
    server = channel._pool.server
    assert (server.host, server.port, server.tls) == ("email-smtp.eu-north-1.amazonaws.com", 587, "starttls")


def to(domain: str, number: int):
    return message(f"{domain}{number}", f"someone@{domain}.example")


def test_a_domain_is_dealt_to_one_hand_while_others_take_the_rest():
    deal = _Deal([to("gmail", 1), to("gmail", 2), to("own", 1), to("gmail", 3)], 1)
    assert deal.take(0).key == "gmail1"
    assert deal.take(1).key == "own1"
    assert deal.take(1) is None
    assert [deal.take(0).key, deal.take(0).key] == ["gmail2", "gmail3"]
    assert deal.take(0) is None


def test_a_domain_is_free_again_when_its_hand_has_left_or_moved_on():
    deal = _Deal([to("gmail", 1), to("a", 1), to("b", 1), to("gmail", 2)], 1)
    assert [deal.take(0).key, deal.take(0).key, deal.take(0).key] == ["gmail1", "a1", "b1"]
    assert deal.take(1).key == "gmail2"
    held = _Deal([to("gmail", 1), to("gmail", 2)], 1)
    held.take(0)
    assert held.take(1) is None
    held.leave(0)
    assert held.take(1).key == "gmail2"


@pytest.mark.parametrize("limit", [0, 1])
def test_at_the_receiving_end_no_domain_sees_more_connections_than_it_may(start, connect, limit):
    server = start()
    busy, most, lock = {"gmail": 0}, {"gmail": 0}, threading.Lock()
    plain = server.handler.handle_DATA

    async def counting(smtp, session, envelope):
        import asyncio

        with lock:
            busy["gmail"] += 1
            most["gmail"] = max(most["gmail"], busy["gmail"])
        await asyncio.sleep(0.02)
        answer = await plain(smtp, session, envelope)
        with lock:
            busy["gmail"] -= 1
        return answer

    server.handler.handle_DATA = counting
    channel = connect(server, connections=4, per_domain=limit)
    outcomes = list(channel.send_all(to("gmail", number) for number in range(12)))
    assert len({o.key for o in outcomes if isinstance(o, Accepted)}) == 12
    assert (most["gmail"] > 1) is (limit == 0)
