"""The text part of templates without a text twin."""

from __future__ import annotations

import pytest

from flows.render.plaintext import tidy, to_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Hei <b>Aino</b></p><p>Kiitos</p>", "Hei Aino\n\nKiitos\n"),
        ('<a href="https://x.example/a?b=1&amp;c=2">Avaa</a>', "Avaa <https://x.example/a?b=1&c=2>\n"),
        ('<a href="mailto:a@x.example">a@x.example</a>', "a@x.example <a@x.example>\n"),
        ('<a href="https://x.example/"><img src="i.png" alt="Logo"></a>', "Logo <https://x.example/>\n"),
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b\n"),
        ("<table><tr><td>a</td><td>1</td></tr><tr><td>b</td></tr></table>", "a 1\nb\n"),
        ("<style>p{}</style><script>x</script><title>t</title>a", "a\n"),
        ('<div style="display:none">hidden<br><div>more</div></div>shown', "shown\n"),
        ("<!--[if mso]><p>outlook</p><![endif]-->a<!-- c -->", "a\n"),
        ("a<br>b<br/>&amp; &lt;c&gt;", "a\nb\n& <c>\n"),
        ("", "\n"),
    ],
)
def test_what_is_seen_is_what_is_read(html, text):
    assert to_text(html) == text


def test_tidy_leaves_one_blank_line_at_most():
    assert tidy("a  \n\n\n\n  b\tc   d\n\n") == "a\n\nb c d\n"
