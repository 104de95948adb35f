# ruff: noqa: E501 - one line, one story
"""Sixty frauds and sixty honest households, one line each: who the friend is, and what happened before they ordered.

They are written from what fraud looks like and from how people live, not from the rules: some frauds cannot be seen in
an order at all, and some honest people look like their advocate. The advocate is Aino Mäkinen, Koivukuja 3 A 4, 00100
Helsinki, 040 123 4567, aino.makinen@gmail.com, unless a line says otherwise.

`before` is done first, in order: `bought` (the friend had an order), `bought cheaply`, `visit place=P device=D` (the
friend came from there), `friends=N place=P` (N others came before, from one network), `friends=N` (by code, today),
`other advocate` (the friend was brought by somebody else before), `advocate refunded`, `counted` (the shop knows two
orders of theirs), `then refunded` (afterwards).
"""

from __future__ import annotations

from tests.store.referred import Scenario, Somebody

S = Somebody
HOME = {"street": "Koivukuja 3 A 4", "postcode": "00100"}
NEW = {"first": "Olli", "last": "Virta", "phone": "+358501112233", "street": "Uusitie 1", "postcode": "20100"}


def new(**more: object) -> Somebody:
    """Somebody who shows nothing of the advocate but what a line says."""
    return S(**{"email": "olli.virta@example.com", **NEW, **more})  # type: ignore[arg-type]


FRAUDS = (
    # Her own mailbox in another spelling.
    Scenario("her own address", new(email="aino.makinen@gmail.com")),
    Scenario("in capitals", new(email="AINO.MAKINEN@GMAIL.COM")),
    Scenario("a tag behind it", new(email="aino.makinen+shop@gmail.com")),
    Scenario("two tags", new(email="aino.makinen+a+b@gmail.com")),
    Scenario("no dots", new(email="ainomakinen@gmail.com")),
    Scenario("dots everywhere", new(email="a.i.n.o.m.a.k.i.n.e.n@gmail.com")),
    Scenario("the provider's other name", new(email="aino.makinen@googlemail.com")),
    Scenario("full-width letters", new(email="ａｉｎｏ.makinen@gmail.com")),
    # A second mailbox of hers.
    Scenario("a number behind the name", new(email="aino.makinen2@gmail.com")),
    Scenario("the same name elsewhere", new(email="aino.makinen@outlook.com")),
    Scenario("a year in it", new(email="ainomakinen1988@hotmail.com")),
    Scenario("dashes for dots", new(email="aino-makinen@proton.me")),
    Scenario("underscores and a digit", new(email="aino_makinen_7@yahoo.com")),
    # A new mailbox, the old telephone.
    Scenario("the same number", new(phone="040 123 4567")),
    Scenario("with the country", new(phone="+358 40 1234567")),
    Scenario("with zeros and dashes", new(phone="00358-40-123-4567")),
    Scenario("in brackets", new(phone="(040) 1234567")),
    # A new mailbox and telephone, the old home.
    Scenario("the same home", new(**HOME)),
    Scenario("the home in small letters", new(street="koivukuja 3 a 4", postcode="00100")),
    Scenario("without spaces", new(street="Koivukuja 3A4", postcode="00100")),
    Scenario("with commas", new(street="Koivukuja 3, A 4", postcode="00100")),
    Scenario("the flat left out", new(street="Koivukuja 3", postcode="00100")),
    Scenario("the flat said in words", new(street="Koivukuja 3 as. A 4", postcode="00100")),
    Scenario("a slip in the street", new(street="Koivukuuja 3 A 4", postcode="00100")),
    Scenario("a staircase left out", new(street="Koivukuja 3 4", postcode="00100")),
    Scenario("another bill, the parcel home", new(ship=("Koivukuja 3 A 4", "00100"))),
    Scenario("the parcel home, the flat left out", new(ship=("Koivukuja 3", "00100"))),
    # A new mailbox, telephone and address, the old name.
    Scenario("her name", new(first="Aino", last="Mäkinen")),
    Scenario("without the dots", new(first="Aino", last="Makinen")),
    Scenario("an initial", new(first="A.", last="Mäkinen")),
    Scenario("turned round", new(first="Mäkinen", last="Aino")),
    Scenario("two first names", new(first="Aino-Maria", last="Mäkinen")),
    Scenario("a slip in the name", new(first="Aino", last="Mäkkinen")),
    Scenario("in capitals", new(first="AINO", last="MÄKINEN")),
    Scenario("a letter too many", new(first="Aino", last="Mäkinenn")),
    # The same account.
    Scenario("her account, another address", new(account="c-aino")),
    Scenario("her account, no address", new(account="c-aino", email="")),
    # No new customers.
    Scenario("bought before", new(), ("bought",)),
    Scenario("bought a little before", new(), ("bought cheaply",)),
    Scenario("the shop counts three orders", new(counted=3)),
    Scenario("brought by another before", new(), ("other advocate",)),
    Scenario("brought twice, first with a tag", new(email="olli.virta+1@example.com"), ("other advocate",)),
    # Mailboxes for ten minutes.
    Scenario("a throw-away mailbox", new(email="qz81@mailinator.com")),
    Scenario("another", new(email="x@yopmail.com")),
    Scenario("of a sub-domain", new(email="x@eu.guerrillamail.com")),
    Scenario("one more", new(email="kuj@temp-mail.org")),
    # One machine, one network.
    Scenario("the advocate's own browser", new(), ("visit device=aino.makinen@gmail.com",)),
    Scenario("a browser that was a friend before", new(), ("friends=1 device=d1", "visit device=d1")),
    Scenario("the fourth of one network", new(), ("friends=3 place=192.0.2.7", "visit place=192.0.2.7")),
    Scenario("the ninth of one network", new(), ("friends=8 place=192.0.2.7", "visit place=192.0.2.7")),
    # A crowd.
    Scenario("the sixth friend in an hour", new(), ("friends=5",)),
    Scenario("the twelfth friend in an hour", new(), ("friends=11",)),
    # Money that comes back.
    Scenario("the advocate sent everything back", new(), ("advocate refunded",)),
    Scenario("the friend sends everything back", new(), ("then refunded",)),
    Scenario("the friend sends a part back while it waits", new(), ("then refunded a part",)),
    # Orders that are none.
    Scenario("an order of three euros", new(total="3.00")),
    Scenario("nobody at all", new(email="", account="none")),
    # What nobody can see in an order. These get through, and are here so that the figure is not a fiction.
    Scenario("a cousin's name, home, mailbox and telephone", new(first="Kaisa", last="Salo", email="kaisa.salo@example.com")),
    Scenario("a colleague at the same firm orders for her", new(email="o.virta@firm.example", street="Firmakatu 1")),
    Scenario("a second telephone and a holiday home", new(phone="+358441112222", street="Mökkitie 4", postcode="52100")),
)  # fmt: skip

HONEST = (
    # Family elsewhere: the surname is shared, the life is not.
    Scenario("a brother", new(first="Eero", last="Mäkinen", email="eero.makinen@gmail.com")),
    Scenario("a sister", new(first="Aila", last="Mäkinen", email="aila.makinen@gmail.com")),
    Scenario("a mother", new(first="Anni", last="Mäkinen", email="anni.makinen@luukku.example")),
    Scenario("a father", new(first="Arto", last="Mäkinen", email="arto@makinen.example")),
    Scenario("a daughter with the initial", new(first="Anna", last="Mäkinen", email="annam@example.com")),
    Scenario("an uncle", new(first="Antti", last="Mäkinen", email="antti.makinen@outlook.com")),
    Scenario("a cousin", new(first="Maija", last="Mäkinen", email="maija.makinen@example.com")),
    Scenario("a former husband", new(first="Jari", last="Mäkinen", email="jari.m@example.com")),
    # Neighbours.
    Scenario("the flat beside", new(street="Koivukuja 3 A 5", postcode="00100")),
    Scenario("the staircase beside", new(street="Koivukuja 3 B 4", postcode="00100")),
    Scenario("the house beside", new(street="Koivukuja 5 A 4", postcode="00100")),
    Scenario("number thirty", new(street="Koivukuja 30", postcode="00100")),
    Scenario("number thirty-five", new(street="Koivukuja 35", postcode="00100")),
    Scenario("the same street in another town", new(street="Koivukuja 3 A 4", postcode="90100")),
    Scenario("the flat above", new(street="Koivukuja 3 A 14", postcode="00100")),
    Scenario("a street that sounds alike", new(street="Koivukatu 12", postcode="00100")),
    # Parcel lockers and counters.
    Scenario("a locker", new(ship=("Posti automaatti, Prisma", "00100"))),
    Scenario("a locker of the same shop", new(ship=("Posti automaatti, K-Market", "00100"))),
    Scenario("a parcel point at work", new(ship=("Firmakatu 1", "00200"))),
    Scenario("sent to a third person", new(ship=("Lahjatie 2", "70100"))),
    Scenario("sent to their own mother", new(ship=("Äidinkuja 8", "40100"))),
    # Colleagues and schoolmates.
    Scenario("a colleague", new(email="olli.virta@firm.example")),
    Scenario("a colleague with a short address", new(email="ov@firm.example")),
    Scenario("the firm's own box", new(email="info@firm.example")),
    Scenario("the second from the office network", new(), ("friends=1 place=198.51.100.9", "visit place=198.51.100.9")),
    Scenario("the third from the office network", new(), ("friends=2 place=198.51.100.9", "visit place=198.51.100.9")),
    Scenario("alone on a network", new(), ("visit place=198.51.100.9",)),
    # Names that many have.
    Scenario("the same first name", new(first="Aino", last="Virtanen", email="aino.virtanen@gmail.com")),
    Scenario("the same first name, another", new(first="Aino", last="Korhonen", email="a.korhonen@example.com")),
    Scenario("a name that begins alike", new(first="Ainomaija", last="Niemi", email="ainomaija@example.com")),
    Scenario("a surname one letter away", new(first="Olli", last="Mäkin", email="olli.makin@example.com")),
    Scenario("a surname that begins alike", new(first="Sari", last="Mäkinen-Laine", email="sari@example.com")),
    # Telephones.
    Scenario("a number one digit away", new(phone="040 123 4568")),
    Scenario("the same digits in Sweden", new(phone="+46401234567")),
    Scenario("no telephone", new(phone="")),
    Scenario("not a number", new(phone="soita iltaisin")),
    # Mailboxes.
    Scenario("another domain", new(email="olli@virta.example")),
    Scenario("a tag of their own", new(email="olli.virta+shops@gmail.com")),
    Scenario("digits of their own", new(email="olli1975@gmail.com")),
    Scenario("an apostrophe", new(email="o'virta@example.com")),
    Scenario("two letters", new(email="ov@example.com")),
    Scenario("an alias service for good", new(email="olli@simplelogin.example")),
    # Abroad.
    Scenario("in Germany", new(first="Jürgen", last="Weiß", email="juergen@weiss.example", street="Ahornweg 3")),
    Scenario("in Japan", new(first="花子", last="山田", email="hanako@example.jp", street="神田 1-2-3", postcode="101-0041")),
    Scenario("in Egypt", new(first="أحمد", last="علي", email="ahmed@example.eg", street="شارع النيل 5", postcode="11511")),
    Scenario("in Sweden", new(first="Åsa", last="Öberg", email="asa@example.se", street="Björkvägen 3", postcode="11122")),
    Scenario("in Greece", new(first="Νίκος", last="Παππάς", email="nikos@example.gr", street="Οδός 3", postcode="10431")),
    # Guests, accounts, first orders.
    Scenario("a guest", new(account="none", phone="")),
    Scenario("an account made today", new(counted=1)),
    Scenario("an account made earlier, never used", new(counted=0)),
    Scenario("a large order", new(total="400.00")),
    Scenario("just the minimum", new(total="10.00")),
    # Friends in numbers.
    Scenario("the second friend today", new(), ("friends=1",)),
    Scenario("the fifth friend after a party", new(), ("friends=4",)),
    Scenario("the third, from homes of their own", new(), ("friends=2", "visit place=203.0.113.50")),
    # The page for friends.
    Scenario("came by the page", new(), ("visit device=d9 place=203.0.113.9",)),
    Scenario("came twice by the page", new(), ("visit device=d9", "visit device=d9")),
    # Honest people who look like her: these wait for a person, and are here so that the figure is not a fiction.
    Scenario("a grandmother of the same name", new(first="Aino", last="Mäkinen", email="mummo@example.com")),
    Scenario("a student who has parcels sent home", new(first="Saku", last="Mäkinen", email="saku@example.com", ship=("Koivukuja 3 A 4", "00100"))),
    Scenario("an elderly man without a mailbox of his own", new(first="Veikko", last="Salo", email="", account="c-veikko")),
)  # fmt: skip
