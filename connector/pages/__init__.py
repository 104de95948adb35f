"""Hosted customer pages behind unguessable links: unsubscribe, review form, survey, referral landing; and what a shop's
own pages ask through the platform's signed proxy.

They work without JavaScript and without cookies. GET never changes anything: mail scanners follow every link
(facts/messaging.md section 5.3).
"""

from __future__ import annotations

from flask import Blueprint, Flask, request

from connector.pages import (
    case,
    clicks,
    confirm,
    connect,
    data,
    desk,
    failed,
    find,
    frame,
    loyalty,
    moderation,
    order,
    preferences,
    proxy,
    push,
    referral,
    referral_ask,
    referral_leaders,
    referral_queue,
    referral_share,
    review,
    review_photo,
    shown_reviews,
    signup,
    survey,
    survey_results,
    task,
    unsubscribe,
)

MAX_BODY = 512 * 1024
"""Bytes of a form: eight products of 4000 characters, each up to twelve bytes when written as %F0%9F%98%80."""


PHOTO_BODY = 24 * 1024 * 1024
"""Bytes of a review or a case with pictures: four of six megabytes, or fewer for each of several products."""
ROOMY = (f"{frame.PREFIX}/review/", f"{frame.PREFIX}/case/")
"""Where such a form may be sent; the server takes no more than `PHOTO_BODY` there and much less elsewhere."""


def register(app: Flask) -> None:
    """Mount the pages under `/p/`. The application object is found in `app.extensions["kiitos"]`."""
    blueprint = Blueprint("pages", __name__, url_prefix=frame.PREFIX, template_folder="templates")
    blueprint.before_request(_limit_body)
    blueprint.before_request(_refresh)
    kinds = (
        ("unsubscribe", unsubscribe),
        ("preferences", preferences),
        ("signup", signup),
        ("confirm", confirm),
        ("review", review),
        ("survey", survey),
        ("task", task),
        ("data", data),
        ("failed", failed),
        ("push", push),
        ("friend", referral),
        ("share", referral_share),
        ("refer", referral_ask),
        ("referrals", referral_queue),
        ("moderation", moderation),
        ("case", case),
        ("desk", desk),
        ("find", find),
        ("loyalty", loyalty),
        ("results", survey_results),
    )
    for path, kind in kinds:
        rule = f"/{path}/<token>"
        blueprint.add_url_rule(rule, path, kind.show, methods=["GET"], provide_automatic_options=False)
        blueprint.add_url_rule(rule, f"{path}_post", kind.act, methods=["POST"], provide_automatic_options=False)
    rule = "/leaders/<token>"
    blueprint.add_url_rule(rule, "leaders", referral_leaders.show, methods=["GET"], provide_automatic_options=False)
    blueprint.add_url_rule("/order/<token>", "order", order.show, methods=["GET"], provide_automatic_options=False)
    rule = "/reviews/<key>/<product>"
    blueprint.add_url_rule(rule, "reviews", shown_reviews.show, methods=["GET"], provide_automatic_options=False)
    for rule in ("/photo/<photo_id>", "/photo/<photo_id>/<token>"):
        blueprint.add_url_rule(rule, "photo", review_photo.show, methods=["GET"], provide_automatic_options=False)
    rule = "/desk/<token>/<photo_id>"
    blueprint.add_url_rule(rule, "desk_photo", desk.photo, methods=["GET"], provide_automatic_options=False)
    for name, script in (("worker", push.worker), ("snippet", push.snippet)):
        rule = f"/push/{name}.js"
        blueprint.add_url_rule(rule, f"push_{name}", script, methods=["GET"], provide_automatic_options=False)
    rule = "/copy.js"
    blueprint.add_url_rule(rule, "copier", referral_share.copier, methods=["GET"], provide_automatic_options=False)
    rule = "/push/order/<key>/<order_id>"
    blueprint.add_url_rule(rule, "push_order", push.show_order, methods=["GET"], provide_automatic_options=False)
    blueprint.add_url_rule(rule, "push_order_post", push.act_order, methods=["POST"], provide_automatic_options=False)
    rule = "/proxy/<key>/<what>"
    blueprint.add_url_rule(rule, "proxy", proxy.answer, methods=["GET"], provide_automatic_options=False)
    app.register_blueprint(blueprint)
    app.register_blueprint(connect.blueprint())
    clicks.register(app)
    frame.guard(app)


def _refresh() -> None:
    """A page may belong to a store that was connected since this process started."""
    frame.application().refresh()


def _limit_body() -> None:
    with_files = request.mimetype == "multipart/form-data" and request.path.startswith(ROOMY)
    request.max_content_length = PHOTO_BODY if with_files else MAX_BODY
