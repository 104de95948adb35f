"""Does a flow give its templates what they need? Names of parameters, steps and links are the flow's business.

A template is tried with what the flow has when it gets to the step that sends it: its own parameters, the outcomes of
earlier steps, the links of its purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from connector.contracts import Step
from connector.errors import TemplateError
from connector.model import Brand, EventKind, Purpose
from flows.definition import Flow
from flows.render.context import MessageView, template_context
from flows.render.renderer import Renderer
from flows.render.samples import five_lines
from flows.render.small import KINDS

_MADE = ("code", "url", "value", "amount")


Look = tuple[tuple[Path, ...], Brand]
"""A shop's own folders of templates, and its brand."""


def faults_by_look(renderer: Renderer, shops: Iterable[tuple[Look, Sequence[Flow]]]) -> list[str]:
    """Everything wrong with the templates of all shops, each look once. Own ones are tried in a process of their own
    first; only those that hold are then tried with what the flows give."""
    flows_of: dict[tuple[tuple[Path, ...], str], tuple[Look, list[Flow]]] = {}
    for (own, brand), flows in shops:
        flows_of.setdefault((own, brand.key), ((own, brand), []))[1].extend(flows)
    faults: dict[str, None] = {}
    for (own, brand), flows in flows_of.values():
        theirs = renderer.under(own, brand)
        caged = _caged(theirs, flows) if own or brand.voice else []
        faults.update(dict.fromkeys(caged or template_faults(theirs, flows, theirs.languages())))
    return list(faults)


def _caged(renderer: Renderer, flows: Iterable[Flow]) -> list[str]:
    # Here and not above: most shops have no template of their own.
    from flows.render.cage import Trial, try_out

    sent = dict.fromkeys(name for flow in flows for item in flow.steps for name in item.step.templates())
    wanted = [
        (name, language)
        for name in sent
        for language in renderer.languages()
        if renderer.language(name, language) == language and not renderer.shipped(name, language)
    ]
    if not wanted:
        return []
    found = try_out(Trial(folders=renderer.sources.folders[:-1], brand=renderer.brand, wanted=tuple(wanted)))
    return [
        fault.message if fault.kind == "template" else f"{fault.template} ({fault.language}): {fault.message}"
        for fault in found
        if fault.serious
    ]


def template_faults(renderer: Renderer, flows: Iterable[Flow], languages: Iterable[str]) -> list[str]:
    """Everything wrong with the templates these flows send, in every language; each fault once, as a readable line."""
    faults: dict[str, None] = {}
    seen: set[tuple[str, str]] = set()
    tongues = list(languages)
    for flow in {(flow.id, flow.version): flow for flow in flows}.values():
        for index, item in enumerate(flow.steps):
            for name in item.step.templates():
                for language in tongues:
                    if renderer.language(name, language) != language:
                        continue  # it is written in another language, whole
                    # What ships was tried with every sample before it shipped.
                    if (name, language) not in seen and not renderer.shipped(name, language):
                        seen.add((name, language))
                        faults.update((str(fault), None) for fault in renderer.check_template(name, language))
                    fault = _supply_fault(renderer, flow, index, name, language)
                    if fault:
                        faults[f"flow {flow.id}: steps.{item.id}: {fault}"] = None
                for fault in _form_faults(renderer, flow, index, name):
                    faults[f"flow {flow.id}: steps.{item.id}: {fault}"] = None
    return list(faults)


def _supply_fault(renderer: Renderer, flow: Flow, index: int, name: str, language: str) -> str:
    try:
        prepared = renderer.prepared(name, language)
        prepared.render_by_rule(
            template_context(_view(renderer, flow, index, name), prepared.language, prepared.strings)
        )
    except TemplateError as error:
        return str(error)
    return ""


def _form_faults(renderer: Renderer, flow: Flow, index: int, name: str) -> Iterator[str]:
    """What is wrong with a template's forms for the media the step may send through."""
    media = flow.steps[index].step.media()
    for kind in (medium for medium in media if medium in KINDS):
        written = renderer.small_languages(name, kind)
        if kind == "print" and not written and tuple(media) == (kind,):
            yield f"'{name}' has no form for print; write {name}.print.liquid"
        for language in written:
            try:
                renderer.small(name, kind, _view(renderer, flow, index, name), language)
            except TemplateError as error:
                yield str(error)


def _outcome(step: Step, made: dict[str, str]) -> dict[str, str]:
    return {"outcome": "done", **(made if step.needs() else {}), **dict.fromkeys(step.gives(), "10")}


def _view(renderer: Renderer, flow: Flow, index: int, name: str) -> MessageView:
    """An ordinary order as the step at `index` would show it."""
    sample = five_lines()
    own = getattr(flow.steps[index].step, "purpose", "")
    purpose = Purpose.of(own) if own else flow.purpose
    made = {name: sample.steps["code"].get(name, "10") for name in _MADE}
    steps = {item.id: _outcome(item.step, made) for item in flow.steps[:index]}
    codes = [values for values in steps.values() if "code" in values]
    given = {"shop", "order_status"}
    if purpose.needs_consent:
        given |= {"unsubscribe"}
    stage = getattr(flow.steps[index].step, "survey", "")
    if stage:
        given |= {"survey"}
    if renderer.mentions(name, "links.order_page"):
        given |= {"order_page"}
    if renderer.mentions(name, "links.case"):
        given |= {"case"}
    if renderer.mentions(name, "links.points"):
        given |= {"points"}
    if purpose is Purpose.REVIEW:
        given |= {"review"}
    if purpose is Purpose.REFERRAL and codes:
        given |= {"referral", "share"}
    if EventKind.REFERRAL_ASKED in flow.trigger:
        given |= {"share"}
    return replace(
        sample,
        purpose=purpose,
        survey=sample.survey if stage else None,
        params={key: str(value) for key, value in flow.params.items()},
        steps={**steps, "code": codes[-1]} if codes else steps,
        links={"shop": "https://aamu.example.com", **{k: v for k, v in sample.links.items() if k in given}},
    )
