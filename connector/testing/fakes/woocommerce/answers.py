"""Answers and errors in WordPress's form. Codes, texts and statuses are those captured."""

from __future__ import annotations

from typing import Any

from connector.testing.fakes.web import Pairs, Response
from connector.testing.fakes.woocommerce.state import Json, php_json

JSON_TYPE = "application/json; charset=UTF-8"
HTML_TYPE = "text/html; charset=UTF-8"
NO_CACHE = ("Cache-Control", "no-cache, must-revalidate, max-age=0, no-store, private")


def ok(value: Any, status: int = 200, headers: Pairs = ()) -> Response:
    return Response(status, php_json(value), JSON_TYPE, [("X-Robots-Tag", "noindex"), NO_CACHE, *headers])


def error(status: int, code: str | int, message: str, **data: Any) -> Response:
    """`{"code", "message", "data": {"status": ...}}`."""
    return ok({"code": code, "message": message, "data": {"status": status, **data}}, status)


def invalid_param(name: str, message: str, code: str) -> Response:
    """A value the schema of the route does not allow."""
    details: Json = {name: {"code": code, "message": message, "data": None}}
    return error(400, "rest_invalid_param", f"Invalid parameter(s): {name}", params={name: message}, details=details)


def missing_params(*names: str) -> Response:
    text = f"Missing parameter(s): {', '.join(names)}"
    return error(400, "rest_missing_callback_param", text, params=list(names))


def no_route() -> Response:
    return error(404, "rest_no_route", "No route was found matching the URL and request method.")


def page(status: int, title: str, text: str, headers: Pairs = ()) -> Response:
    """An HTML page where JSON was asked for: maintenance, a PHP crash."""
    head = f"<!DOCTYPE html>\n<html>\n<head><title>{title}</title></head>\n"
    html = f'{head}<body id="error-page">\n{text}</body>\n</html>\n'
    return Response(status, html.encode(), HTML_TYPE, [NO_CACHE, *headers])


def maintenance() -> Response:
    text = '<div class="wp-die-message">Briefly unavailable for scheduled maintenance. Check back in a minute.</div>'
    return page(503, "Maintenance", text, [("Retry-After", "600")])


def crash() -> Response:
    text = '<div class="wp-die-message"><p>There has been a critical error on this website.</p></div>'
    return page(500, "WordPress &rsaquo; Error", text)
