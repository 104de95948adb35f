"""The reader of documents itself: what it must find and what it must not."""

from __future__ import annotations

import pytest

from tests.docs.documents import anchors, blocks, commands, links, rows

TEXT = """# A title, with *marks*

Write `kiitos flows check`, or [read](other.md#a-part).

| a | b |
| --- | --- |
| `x` | 1 |

```
kiitos serve   # a comment
pytest tests
[no](link.md)
```

```toml
a = 1
```
"""


def test_finds_blocks_with_their_language_and_line() -> None:
    assert [(b.language, b.line, b.text.split("\n")[0]) for b in blocks(TEXT, "x.md")] == [
        ("", 10, "kiitos serve   # a comment"),
        ("toml", 16, "a = 1"),
    ]


def test_a_block_that_never_ends_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"x\.md:1: a block that is not closed"):
        blocks("```\nkiitos serve\n", "x.md")


def test_finds_commands_typed_and_mentioned() -> None:
    found = [(c.place, c.words, c.typed) for c in commands(TEXT, "x.md", "kiitos")]
    assert found == [("x.md:10", ("serve",), True), ("x.md:3", ("flows", "check"), False)]


def test_finds_links_anchors_and_rows() -> None:
    assert links(TEXT) == [(3, "other.md#a-part")]
    assert anchors(TEXT) == {"a-title-with-marks"}
    assert rows(TEXT) == [("a", "b"), ("`x`", "1")]
