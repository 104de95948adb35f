"""The SMTP channel against a real server on a real socket: what became of each message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connector.clock import ManualClock
from connector.contracts import Accepted, Rejected, Retry, Scope, Unknown
from connector.contracts.channel_events import BounceKind
from connector.errors import ConfigError
from connector.registry import CHANNELS, Registry
from flows.channels.smtp import Smtp

from .conftest import free_port, message

ROADS = pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "plain"])


@ROADS
def test_200_messages_arrive_in_order_over_two_connections(start, connect, pipelining):
    server = start(pipelining=pipelining)
    channel = connect(server)
    outcomes = list(channel.send_all(message(f"k{n:03}") for n in range(200)))
    assert [outcome.key for outcome in outcomes] == [f"k{n:03}" for n in range(200)]
    assert all(isinstance(outcome, Accepted) and outcome.provider_id for outcome in outcomes)
    subjects = [body.split(b"\r\n", 1)[0] for body in server.bodies]
    assert subjects == [f"Subject: k{n:03}".encode() for n in range(200)]
    assert server.handler.connections == 2  # 100 messages a connection


@ROADS
def test_a_refusal_belongs_to_its_message_alone(start, connect, pipelining):
    server = start(pipelining=pipelining)
    batch = [
        message("a"),
        message("b", "rcpt-550@example.com"),
        message("c"),
        message("d", "rcpt-451@example.com"),
        message("e", body="DATA-552"),
        message("f", body="DATA-451"),
        message("g", "rcpt-policy@example.com"),
        message("h", "rcpt-sender@example.com"),
        message("i"),
    ]
    found = {outcome.key: outcome for outcome in connect(server).send_all(batch)}
    assert [type(found[key]) for key in "abcdefghi"] == [
        Accepted, Rejected, Accepted, Retry, Rejected, Retry, Rejected, Retry, Accepted,
    ]  # fmt: skip
    said = "5.1.1 <address>: no such user"
    hard = Rejected(key="b", code="550 5.1.1", text=said, bad_address=True, bounce=BounceKind.HARD)
    assert found["b"] == hard
    assert [found[key].bounce for key in "eg"] == [BounceKind.SOFT, BounceKind.BLOCK]
    assert [found[key].scope for key in "dfh"] == [Scope.MESSAGE, Scope.MESSAGE, Scope.SHOP]
    assert found["e"].code == "552 5.2.2"
    assert "aino" not in found["e"].text
    assert [found[key].bad_address for key in "eg"] == [False, False]
    assert found["h"].text == "the shop's sender was refused: 550 5.1.8 bad sender"
    assert len(server.bodies) == 3
    assert server.handler.connections == 1


@ROADS
def test_an_answer_lost_after_the_dot_is_unknown_and_only_that_message(start, connect, pipelining):
    server = start(pipelining=pipelining)
    batch = [message("a"), message("b", body="DATA-DROP"), message("c"), message("d")]
    found = list(connect(server).send_all(batch))
    assert [(outcome.key, type(outcome)) for outcome in found] == [
        ("a", Accepted), ("b", Unknown), ("c", Accepted), ("d", Accepted),
    ]  # fmt: skip
    assert [body.split(b"\r\n", 1)[0] for body in server.bodies] == [
        b"Subject: " + key for key in (b"a", b"b", b"c", b"d")
    ]


@ROADS
def test_a_connection_lost_before_the_dot_is_a_retry(start, connect, pipelining):
    server = start(pipelining=pipelining)
    batch = [message("a"), message("b", "drop-rcpt@example.com"), message("c")]
    found = {outcome.key: outcome for outcome in connect(server).send_all(batch)}
    assert isinstance(found["b"], Retry)
    assert isinstance(found["a"], Accepted)
    assert isinstance(found["c"], Accepted)
    assert len(server.bodies) == 2


def test_a_slow_answer_is_waited_for_and_a_hanging_one_is_unknown(start, connect):
    server = start()
    channel = connect(server, timeout=1)
    slow, hanging = channel.send_all([message("a", body="DATA-SLOW"), message("b", body="DATA-HANG")])
    assert isinstance(slow, Accepted)
    assert isinstance(hanging, Unknown)
    assert len(server.bodies) == 2


def test_outcomes_come_as_they_are_known(start, connect):
    server = start(pipelining=False)
    sent = []

    def source():
        for n in range(3):
            sent.append(n)
            yield message(f"k{n}")

    outcomes = connect(server).send_all(source())
    assert next(outcomes).key == "k0"
    assert len(server.bodies) == 1
    assert sent == [0]
    outcomes.close()


def test_who_stops_listening_leaves_no_half_open_connection(start, connect):
    server = start()
    channel = connect(server)
    outcomes = channel.send_all([message("a"), message("b"), message("c")])
    assert isinstance(next(outcomes), Accepted)
    outcomes.close()
    assert [type(outcome) for outcome in channel.send_all([message("d")])] == [Accepted]
    assert [body.split(b"\r\n", 1)[0] for body in server.bodies] == [b"Subject: a", b"Subject: d"]


def test_a_kept_connection_is_used_again_until_it_is_60_seconds_old(start, connect):
    server, clock = start(), ManualClock(datetime(2026, 11, 22, tzinfo=UTC))
    channel = connect(server, clock)
    for key in "ab":
        assert isinstance(next(iter(channel.send_all([message(key)]))), Accepted)
    assert [type(o) for o in channel.send_all([message("c")])] == [Accepted]
    before = server.handler.connections
    clock.advance(timedelta(seconds=61))
    assert [type(o) for o in channel.send_all([message("d")])] == [Accepted]
    assert server.handler.connections == before + 1


def test_an_idle_connection_the_server_closed_is_replaced_without_a_word(start, connect):
    server = start()
    channel = connect(server)
    assert [type(o) for o in channel.send_all([message("a")])] == [Accepted]
    for session in channel._pool._idle:
        session._smtp.sock.shutdown(2)
    assert [type(o) for o in channel.send_all([message("b")])] == [Accepted]
    assert len(server.bodies) == 2


def test_dots_and_bare_line_feeds_arrive_as_text(start, connect):
    server = start()
    batch = [message("a", body=".\r\n..two\r\n.three"), message("b", body="x\n.\nMAIL FROM:<evil@example.com>")]
    assert [type(o) for o in connect(server).send_all(batch)] == [Accepted, Accepted]
    first, second = server.bodies
    assert first.endswith(b"\r\n\r\n.\r\n..two\r\n.three\r\n")
    assert second.endswith(b"x\r\n.\r\nMAIL FROM:<evil@example.com>\r\n")


@pytest.mark.parametrize("recipient", ["a@b\r\nRCPT TO:<evil@example.com>", "no-address", "a b@example.com", "<@>"])
def test_an_impossible_address_is_rejected_and_the_next_message_goes_out(start, connect, recipient):
    server = start()
    found = {o.key: o for o in connect(server).send_all([message("a", recipient), message("b")])}
    assert isinstance(found["a"], Rejected)
    assert found["a"].bad_address
    assert recipient not in found["a"].text
    assert isinstance(found["b"], Accepted)
    assert len(server.bodies) == 1


@pytest.mark.parametrize("sender", ["Aurora Outdoor", "Aurora <orders@>", "a@b\r\nRCPT TO:<evil@example.com>"])
def test_an_impossible_sender_blames_no_recipient(start, connect, sender):
    server = start()
    found = {o.key: o for o in connect(server).send_all([message("a", sender=sender), message("b")])}
    assert isinstance(found["a"], Retry)
    assert "sender" in found["a"].text
    assert sender not in found["a"].text
    assert isinstance(found["b"], Accepted)
    assert len(server.bodies) == 1


@ROADS
def test_a_sender_the_server_refuses_is_tried_again_and_blames_no_recipient(start, connect, pipelining):
    server = start(pipelining=pipelining)
    batch = [message("a", sender="refused@example.com"), message("b")]
    found = {o.key: o for o in connect(server).send_all(batch)}
    said = "the shop's sender was refused: 553 5.1.7 <address>: not a sender of this account"
    assert found["a"] == Retry(key="a", text=said, scope=Scope.SHOP)
    assert isinstance(found["b"], Accepted)
    assert len(server.bodies) == 1


def test_an_address_outside_ascii_uses_smtputf8_and_its_domain_punycode(start, connect):
    server = start()
    assert [type(o) for o in connect(server).send_all([message("a", "äiti@mökki.example")])] == [Accepted]
    assert server.handler.accepted[0][0] == "äiti@xn--mkki-5qa.example"


def test_several_connections_share_a_batch(start, connect):
    server = start()
    found = list(connect(server, connections=4).send_all([message(f"k{n}", body="DATA-SLOW") for n in range(8)]))
    assert sorted(outcome.key for outcome in found) == [f"k{n}" for n in range(8)]
    assert all(isinstance(outcome, Accepted) for outcome in found)
    assert server.handler.connections == 4


def test_no_server_is_a_retry_for_everybody_and_asked_only_once():
    channel = Smtp.from_settings(
        {"host": "127.0.0.1", "port": free_port(), "tls": "none"}, ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    )
    found = list(channel.send_all([message("a"), message("b")]))
    assert [type(outcome) for outcome in found] == [Retry, Retry]
    assert "check host and port" in found[0].text
    channel.close()


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_login_is_used_and_a_wrong_password_is_a_retry_that_says_so(start, connect):
    server = start(password="secret")
    right = connect(server, username="shop", password="secret")
    wrong = connect(server, username="shop", password="wr0ng-pass")
    assert [type(o) for o in right.send_all([message("a")])] == [Accepted]
    (refused,) = wrong.send_all([message("b")])
    assert isinstance(refused, Retry)
    assert "check username and password" in refused.text
    assert "wr0ng-pass" not in refused.text
    assert server.handler.users[0] == "shop"


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({}, "host"),
        ({"host": "mail.example.com", "tls": "startls"}, "tls"),
        ({"host": "mail.example.com", "port": "25"}, "port"),
        ({"host": "mail.example.com", "prot": 25}, "prot"),
        ({"host": "mail.example.com", "tls": "none", "username": "u", "password": "p"}, "tls"),
        ({"url": "http://mail.example.com"}, "url"),
        ({"url": "smtp://mail.example.com:port"}, "url"),
        ({"url": "smtp://mail.example.com?tls=startls"}, "tls"),
        ({"url": "smtp://mail.example.com?timeout=5"}, "url"),
        ({"url": "smtp://u:p@mail.example.com?tls=none"}, "tls"),
        ({"url": "smtps://u:p@mail.example.com?tls=none"}, "url"),
        ({"url": "smtps://mail.example.com", "tls": "none"}, "tls"),
        ({"url": "smtps://mail.example.com", "tls": "starttls"}, "tls"),
        ({"host": "mail.example.com", "connections": 99}, "connections"),
        ({"host": "mail.example.com", "ca_file": "/nowhere.pem"}, "ca_file"),
    ],
)
def test_wrong_settings_name_their_key(settings, key):
    with pytest.raises(ConfigError) as error:
        Smtp.from_settings(settings, ManualClock(datetime(2026, 1, 1, tzinfo=UTC)))
    assert error.value.where == key


def test_a_url_says_it_all():
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    channel = Smtp.from_settings({"url": "smtps://us%40er:pa%2Fss@mail.example.com"}, clock)
    server = channel._pool.server
    assert (server.host, server.port, server.tls) == ("mail.example.com", 465, "ssl")
    assert (server.username, server.password) == ("us@er", "pa/ss")
    assert "pa/ss" not in repr(server)


@pytest.mark.parametrize(
    ("url", "port", "tls"),
    [
        ("smtps://u:p@mail.example.com", 465, "ssl"),
        ("smtps://u:p@mail.example.com:2465", 2465, "ssl"),
        ("smtp://u:p@mail.example.com", 587, "starttls"),
        ("smtp://mail:1025?tls=none", 1025, "none"),
    ],
)
def test_how_it_is_encrypted_stands_in_the_url(url, port, tls):
    server = Smtp.from_settings({"url": url}, ManualClock(datetime(2026, 1, 1, tzinfo=UTC)))._pool.server
    assert (server.port, server.tls, server.context is None) == (port, tls, tls == "none")


def test_the_registry_finds_it():
    extra = {(CHANNELS, "smtp"): Smtp}
    assert Registry(extra=extra).channel("smtp") is Smtp


def test_what_comes_back_goes_to_an_address_of_its_own(start, connect):
    """VERP: the envelope's sender names the message, its From stays the shop's."""
    server = start()
    seen: list[str] = []
    real = server.handler.handle_MAIL

    async def noting(smtp, session, envelope, address, options):
        seen.append(address)
        return await real(smtp, session, envelope, address, options)

    server.handler.handle_MAIL = noting
    (outcome,) = connect(server, bounces="bounces.example").send_all([message("k1")])
    assert isinstance(outcome, Accepted)
    (outcome,) = connect(server).send_all([message("k2")])
    assert seen == ["b+k1@bounces.example", "shop@example.com"]


@pytest.mark.parametrize("bounces", ["no domain", "a@b.example", "-x.example", 7])
def test_where_it_comes_back_to_is_a_domain(bounces):
    with pytest.raises(ConfigError) as caught:
        Smtp.from_settings({"host": "h", "bounces": bounces}, ManualClock(datetime(2026, 11, 22, tzinfo=UTC)))
    assert caught.value.where == "bounces"
