"""Whose a row is that belongs to a person and not to one order: the account's, or a guest's address."""

from __future__ import annotations


def owner_of(customer_id: str | None, email_key: str | None) -> str:
    """`customer/<id>`, for a guest `email/<key>`. Raises `ValueError` for nobody."""
    if customer_id:
        return f"customer/{customer_id}"
    if not email_key:
        raise ValueError("a row of nobody's")
    return f"email/{email_key}"


def owners_of(customer_id: str | None, email_key: str | None) -> list[str]:
    """Every name a person's rows may stand under: a guest may have got an account since."""
    found = [f"customer/{customer_id}"] if customer_id else []
    return [*found, f"email/{email_key}"] if email_key else found
