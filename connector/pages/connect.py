"""Connecting a store in the browser: choose, enter, approve at the platform, come back, read how it stands.

Whoever holds an invite may connect one store; nobody else gets past the first page. The pages know no platform: ways,
fields and sentences come from `connector.contracts.connecting`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from connector.connecting import Application, Attempts, Started, check, fill, sentences, worst
from connector.connecting.activation import connectable
from connector.connecting.attempts import LIFE, PREFIX, RESULT_LIFE
from connector.contracts import Finding, Inbound, Verdict
from connector.errors import AuthExpired, ConnectRefused, KiitosError, Refused, Transient
from connector.log import get_log
from connector.pages.frame import let_frame, page, visitor_language
from connector.pages.passphrase import Guesses
from connector.store import connecting, shops
from connector.store.connecting import Invite

MAX_BODY = 64 * 1024
LANGUAGE = "kiitos-language"
log = get_log("connect")


def blueprint() -> Blueprint:
    """The pages under `/connect`."""
    made = Blueprint("connect", __name__, url_prefix=PREFIX, template_folder="templates")
    made.before_request(_prepare)
    guesses = Guesses()
    for rule, view, method in (
        ("", guesses.show, "GET"),
        ("", guesses.act, "POST"),
        ("/go", go, "GET"),
        ("/result", result, "GET"),
        ("/return/<platform>", come_back, "GET"),
        ("/from/<platform>", arrive, "GET"),
        ("/callback/<platform>/<secret>", callback, "POST"),
        ("/<invite>", choose, "GET"),
        ("/<invite>/<platform>", form, "GET"),
        ("/<invite>/<platform>/<way>", submit, "POST"),
    ):
        name = f"{view.__name__}_{method.lower()}"
        made.add_url_rule(rule, name, view, methods=[method], provide_automatic_options=False)
    return made


def _prepare() -> None:
    request.max_content_length = MAX_BODY
    application().refresh()


def application() -> Application:
    return cast("Application", current_app.extensions["kiitos"])


def attempts() -> Attempts:
    return Attempts(application())


# -- before the platform -----------------------------------------------------------------------------------------------


def choose(invite: str) -> BaseResponse:
    opened = attempts().opened(invite)
    if opened is None:
        return closed()
    names = [name for name in _names(opened) if attempts().ways(name)]
    if len(names) == 1:
        return redirect(f"{PREFIX}/{invite}/{names[0]}", 303)
    platforms = [(name, _texts(name, opened.locale).get("platform", name.title())) for name in names]
    return _page("connect_choose.html", opened.locale, platforms=platforms, invite=invite, client=_client(opened))


def _names(opened: Invite) -> list[str]:
    """The platforms to choose from; one, where the link is for a known shop."""
    known = application().config.shops.get(opened.shop_id or "")
    return [name for name in connectable(application().registry) if known is None or name == known.shop.platform]


def form(invite: str, platform: str) -> BaseResponse:
    opened = attempts().opened(invite)
    if opened is None or platform not in _names(opened):
        return closed()
    return _form(opened, invite, platform, request.args.get("way", ""), {})


def _form(
    opened: Invite, invite: str, platform: str, way: str, values: Mapping[str, str], wrong: KiitosError | None = None
) -> Response:
    """The form of a way. What was entered stays, secrets do not."""
    ways = attempts().ways(platform)
    chosen = next((one for one in ways if one.name == way), ways[0])
    texts = _texts(platform, opened.locale)
    problem, field = _problem(wrong, texts) if wrong is not None else ("", "")
    return _page(
        "connect_form.html",
        opened.locale,
        200 if wrong is None else 422,
        platform=platform,
        invite=invite,
        way=chosen,
        others=[one for one in ways if one is not chosen],
        values={one.name: values.get(one.name, "") for one in chosen.fields if one.kind != "secret"},
        problem=problem,
        wrong_field=field,
        client=_client(opened),
    )


def _client(opened: Invite) -> str:
    """What the merchant knows the client by."""
    return str(application().config.clients[opened.client_id].get("name") or opened.client_id)


def submit(invite: str, platform: str, way: str) -> BaseResponse:
    opened = attempts().opened(invite)
    if opened is None or platform not in _names(opened):
        return closed()
    values = {name: value for name, value in request.form.items() if len(value) <= 2000}
    try:
        started = attempts().begin(opened, platform, way, values)
    except (ConnectRefused, Transient, AuthExpired, Refused) as error:
        log.info("connect_refused", platform=platform, reason=_reason(error))
        return _form(opened, invite, platform, way, values, error)
    return _on_the_way(started, opened.locale, f"{PREFIX}/go")


def arrive(platform: str) -> BaseResponse:
    """The platform sent the browser here with a query it signed: no form in between."""
    try:
        started = attempts().arrive(platform, list(request.args.items(multi=True)))
    except (ConnectRefused, Transient, AuthExpired, Refused) as error:
        return failed(platform, error)
    if started.shop_id:
        return _framed(platform, started.shop_id)
    return _on_the_way(started, "", started.url)


def _framed(platform: str, shop_id: str) -> Response:
    """How it stands, at once: the platform may show this in its admin, where our cookie does not come back."""
    with application().store.work.read() as tx:
        shop = shops.get(tx, shop_id)
    if shop is not None:
        let_frame(connectable(application().registry)[platform].framed_by(shop.domain))
    return _standing(shop_id, platform, "")


def _on_the_way(started: Started, locale: str, away: str) -> BaseResponse:
    """Bind the attempt to this browser. A form must not redirect to the platform itself: `form-action` forbids it."""
    answer = redirect(away if started.url else f"{PREFIX}/result", 303)
    secure = application().config.app.base_url.startswith("https://")
    for name, value in ((cookie_name(), started.browser), (LANGUAGE, visitor_language(locale, None))):
        answer.set_cookie(
            name,
            value,
            max_age=int((LIFE + RESULT_LIFE).total_seconds()),
            secure=secure,
            httponly=True,
            # Lax: the return is a navigation from the platform's site, and must bring the cookie.
            samesite="Lax",
            path="/",
        )
    return answer


def cookie_name() -> str:
    """`__Host-` keeps a neighbouring subdomain from planting a cookie; browsers allow it over https only."""
    return "__Host-kiitos-connect" if application().config.app.base_url.startswith("https://") else "kiitos-connect"


def go() -> Response:
    """Says where the browser is about to go, and goes there by a link."""
    url = attempts().leaving_for(_browser())
    if not url:
        return closed()
    return _page("connect_go.html", request.cookies.get(LANGUAGE, ""), url=url, host=urlsplit(url).netloc)


# -- from the platform -------------------------------------------------------------------------------------------------


def callback(platform: str, secret: str) -> Response:
    """The platform's server brings something for an open attempt. WooCommerce needs exactly 200, and deletes the fresh
    key after any other answer."""
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        headers.setdefault(name.lower(), []).append(value)
    try:
        attempts().called(platform, secret, Inbound(headers=headers, body=request.get_data(cache=False)))
    except ConnectRefused as error:
        log.warning("callback_refused", platform=platform, reason=error.reason)
        return Response("refused", 404 if error.reason == "unknown" else 400, content_type="text/plain")
    return Response("ok", 200, content_type="text/plain")


def come_back(platform: str) -> BaseResponse:
    try:
        attempts().returned(_browser(), platform, list(request.args.items(multi=True)))
    except ConnectRefused as error:
        finished = attempts().of(_browser())
        if error.reason == "used" and finished is not None and finished.shop_id is not None:
            return redirect(f"{PREFIX}/result", 303)  # reloaded: it was this browser that connected
        return failed(platform, error)
    except (Transient, AuthExpired, Refused) as error:
        return failed(platform, error)
    return redirect(f"{PREFIX}/result", 303)


def result() -> Response:
    """How the connection stands, asked anew with every look."""
    attempt = attempts().of(_browser())
    if attempt is None or attempt.status != connecting.DONE or attempt.shop_id is None:
        return closed()
    return _standing(attempt.shop_id, attempt.platform, request.cookies.get(LANGUAGE, ""))


def _standing(shop_id: str, platform: str, locale: str) -> Response:
    app = application()
    with app.store.work.read() as tx:
        shop = shops.get(tx, shop_id)
    findings = check(app, shop_id)
    texts = _texts(platform, locale)
    return _page(
        "connect_result.html",
        locale,
        name=shop.name if shop is not None else shop_id,
        verdict=worst(findings),
        findings=[_shown(finding, texts) for finding in sorted(findings, key=_urgency)],
    )


def _urgency(finding: Finding) -> int:
    """What must be put right comes first."""
    return (Verdict.FAIL, Verdict.WARN, Verdict.OK).index(finding.verdict)


def _shown(finding: Finding, texts: Mapping[str, str]) -> dict[str, str]:
    link = finding.link if finding.link.startswith(("https://", "http://")) else ""
    return {
        "verdict": finding.verdict.value,
        "text": fill(texts, f"finding.{finding.code}", finding.values),
        "link": link,
        "words": texts.get(f"link.{finding.code}", texts["link"]),
    }


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def failed(platform: str, error: KiitosError) -> Response:
    log.warning("connect_failed", platform=platform, reason=_reason(error))
    locale = request.cookies.get(LANGUAGE, "")
    problem, _ = _problem(error, _texts(platform, locale))
    status = 503 if isinstance(error, Transient) else 400
    return _page("connect_failed.html", locale, status, problem=problem, again=isinstance(error, Transient))


def closed() -> Response:
    return _page("message.html", "", 404, title="closed.title", text="closed.text")


def _reason(error: KiitosError) -> str:
    return error.reason if isinstance(error, ConnectRefused) else error.code


def _problem(error: KiitosError, texts: Mapping[str, str]) -> tuple[str, str]:
    """The sentence for an error, and the field it is about."""
    if isinstance(error, ConnectRefused):
        return fill(texts, f"error.{error.reason}", error.values), error.field
    kinds = {Transient: "error.unreachable", AuthExpired: "error.auth"}
    return texts[next((key for kind, key in kinds.items() if isinstance(error, kind)), "error.refused")], ""


def _texts(platform: str, locale: str) -> dict[str, str]:
    return sentences(application(), platform, visitor_language(locale, None))


def _browser() -> str:
    return request.cookies.get(cookie_name(), "")


def _page(template: str, locale: str, status: int = 200, *, platform: str = "", **values: Any) -> Response:
    return page(template, None, locale, status, texts=_texts(platform, locale), platform=platform, **values)
