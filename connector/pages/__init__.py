"""Hosted customer pages behind unguessable links: unsubscribe, review form, referral landing.

They work without JavaScript and without cookies. GET never changes anything: mail scanners follow every link
(facts/messaging.md section 5.3).
"""

from __future__ import annotations

from flask import Blueprint, Flask

from connector.pages import referral, review, unsubscribe


def register(app: Flask) -> None:
    """Mount the pages under `/p/`. The application object is found in `app.extensions["kiitos"]`."""
    blueprint = Blueprint("pages", __name__, url_prefix="/p", template_folder="templates")
    unsubscribe.routes(blueprint)
    review.routes(blueprint)
    referral.routes(blueprint)
    app.register_blueprint(blueprint)
