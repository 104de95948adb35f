"""Template files: where they lie, their front matter, and their shared pieces.

    flows/templates/<lang>/<name>.mjml.liquid     HTML, beginning with a front matter of two lines:
        ---
        subject: Order {{ order.number }} is confirmed
        preheader: We have received it.
        ---
    flows/templates/<lang>/<name>.txt.liquid      the text part (made from the HTML when there is none)
    flows/templates/<lang>/strings.json           short texts for the `t` filter
    flows/templates/shared/<piece>.mjml.liquid    `{% include 'shared/<piece>' %}`; .txt.liquid in text parts

Pieces are put in as text before anything is parsed: the template Liquid and MJML see is one flat text, and no
template can load a file while it renders.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from connector.errors import TemplateError, near

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,8})*")
_INCLUDE = re.compile(r"^[ \t]*\{%-?\s*include\s+'([a-z0-9_/]+)'\s*-?%\}[ \t]*$")
_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_MAX_DEPTH = 5
HTML_SUFFIX = ".mjml.liquid"
TEXT_SUFFIX = ".txt.liquid"


@dataclass(frozen=True, slots=True)
class Flat:
    """A template with its pieces put in. `places[i]` is the file and line that line i + 1 came from."""

    text: str
    places: tuple[tuple[str, int], ...]

    def locate(self, error: TemplateError) -> TemplateError:
        """The same error, naming the file and line the author wrote."""
        if not 0 < error.line <= len(self.places):
            return error
        where, line = self.places[error.line - 1]
        plain = error.message.removeprefix(f"{error.where}:{error.line}:{error.column}: ")
        return TemplateError(plain, where=where, line=line, column=error.column)


@dataclass(frozen=True, slots=True)
class Source:
    """One template in one language, as written."""

    name: str
    language: str
    subject: str
    preheader: str
    html: Flat
    text: Flat | None

    @property
    def where(self) -> str:
        return f"{self.language}/{self.name}{HTML_SUFFIX}"


class Sources:
    """The templates of a directory."""

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory or Path(__file__).parent.parent / "templates"

    def languages(self) -> list[str]:
        """Languages that have their own texts."""
        return sorted(path.parent.name for path in self.directory.glob("*/strings.json"))

    def names(self, language: str) -> list[str]:
        """Templates written in a language."""
        found = (self.directory / language).glob(f"*{HTML_SUFFIX}")
        return sorted(path.name.removesuffix(HTML_SUFFIX) for path in found)

    def has(self, name: str, language: str) -> bool:
        return bool(_NAME.fullmatch(name)) and (self.directory / language / f"{name}{HTML_SUFFIX}").is_file()

    def mentions(self, name: str, word: str) -> bool:
        """Whether a template speaks of `word` in any language. One that cannot be read is found at fault elsewhere."""
        return any(word in text for language in self.languages() for text in self._texts(name, language))

    def _texts(self, name: str, language: str) -> list[str]:
        try:
            source = self.load(name, language)
        except TemplateError:
            return []
        return [source.subject, source.preheader, source.html.text, source.text.text if source.text else ""]

    def load(self, name: str, language: str) -> Source:
        """Read a template. Raises `TemplateError` for a missing file or piece and for wrong front matter."""
        if not (_NAME.fullmatch(name) and _LANGUAGE.fullmatch(language)):
            raise TemplateError("a template's name is small letters, digits and underscores", where=name[:64])
        where = f"{language}/{name}{HTML_SUFFIX}"
        raw = self._read(where)
        if raw is None:
            raise TemplateError(f"there is no such template{near(name, self.names(language))}", where=where)
        front = _FRONT.match(raw)
        fields = _front_fields(front[1], where) if front else {}
        body_line = raw.count("\n", 0, front.end()) if front else 0
        html = self._flatten(raw[front.end() :] if front else raw, where, HTML_SUFFIX, body_line)
        if not fields.get("subject"):
            raise TemplateError("begin with --- / subject: ... / preheader: ... / ---", where=where, line=1, column=1)
        text_where = f"{language}/{name}{TEXT_SUFFIX}"
        text = self._read(text_where)
        flat_text = None if text is None else self._flatten(text, text_where, TEXT_SUFFIX, 0)
        return Source(name, language, fields["subject"], fields.get("preheader", ""), html, flat_text)

    def _read(self, where: str) -> str | None:
        path = self.directory / where
        try:
            return path.read_text("utf-8").replace("\r\n", "\n") if path.is_file() else None
        except (OSError, UnicodeDecodeError) as error:
            raise TemplateError("the file cannot be read as UTF-8", where=where) from error

    def _flatten(self, text: str, where: str, suffix: str, offset: int, depth: int = 0) -> Flat:
        lines: list[str] = []
        places: list[tuple[str, int]] = []
        for number, line in enumerate(text.split("\n"), start=1 + offset):
            match = _INCLUDE.match(line)
            if not match:
                lines.append(line)
                places.append((where, number))
                continue
            piece = self._read(f"{match[1]}{suffix}")
            if piece is None or depth >= _MAX_DEPTH:
                fault = "pieces are nested too deeply" if piece is not None else f"there is no piece '{match[1]}'"
                raise TemplateError(fault, where=where, line=number, column=1)
            flat = self._flatten(piece.removesuffix("\n"), f"{match[1]}{suffix}", suffix, 0, depth + 1)
            lines.extend(flat.text.split("\n"))
            places.extend(flat.places)
        return Flat("\n".join(lines), tuple(places))


def _front_fields(text: str, where: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), start=2):
        key, colon, value = line.partition(":")
        if not colon or key.strip() not in {"subject", "preheader"}:
            raise TemplateError("expected 'subject: ...' or 'preheader: ...'", where=where, line=number, column=1)
        fields[key.strip()] = value.strip()
    return fields
