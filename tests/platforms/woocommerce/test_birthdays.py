"""The birthday plugins keep with an account: known by the end of its key, taken only where the day is beyond doubt."""

from __future__ import annotations

import pytest

from platforms.woocommerce.payloads import CustomerBody, Meta
from platforms.woocommerce.people import read_customer


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("billing_birth_date", "1990-03-02", "1990-03-02"),
        ("birthday", " 19900302 ", "1990-03-02"),
        ("_date_of_birth", "1990-03-02", "1990-03-02"),
        ("dob", "1990-03-02", "1990-03-02"),
        ("birthday", "03/02/1990", None),
        ("birthday", "1990-02-30", None),
        ("birthday", "", None),
        ("birthday", 19900302, None),
        ("birthday_sent", "1990-03-02", None),
        ("adobe", "1990-03-02", None),
    ],
)
def test_a_birthday_in_the_accounts_meta(key: str, value: object, expected: str | None) -> None:
    body = CustomerBody(id=7, email="a@example.test", meta_data=[Meta(key=key, value=value)])
    assert read_customer(body).birthday == expected
