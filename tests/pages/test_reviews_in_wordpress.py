"""What merchants paste into WordPress, run by PHP: reviews in the shop's own page, sorted and turned there without
JavaScript, asked for seldom, and never in the page's way. Skips where there is no PHP (Debian: php-cli)."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from html import unescape
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
import requests

from connector.clock import SystemClock
from connector.pages import shown_reviews
from connector.store import reviews
from connector.store.reviews import ReviewRow
from connector.testing.serving import free_port
from connector.testing.world import WOO, World

PHP = shutil.which("php")
PRODUCT = "77"
PRETTY = "/product/mug/"
pytestmark = pytest.mark.skipif(PHP is None, reason="no PHP to run the snippet with: apt-get install php-cli")


def pasted(world: World) -> str:
    """The PHP of `kiitos reviews widget`."""
    told = shown_reviews.snippet(world.kiitos, world.kiitos.config.shop(WOO).shop)
    return "<?php\n" + told[told.index("/* ") :]


@contextmanager
def wordpress(folder: Path, snippet: str, permalink: str = PRETTY) -> Iterator[str]:
    """The shop's address. `folder` keeps its transients and, in `asked.txt`, what it asked of others."""
    assert PHP is not None
    (folder / "snippet.php").write_text(snippet, "utf-8")
    port, router = free_port(), Path(__file__).with_name("wordpress.php")
    names = {"PRODUCT": PRODUCT, "PERMALINK": permalink, "TRANSIENTS": folder, "SNIPPET": folder / "snippet.php"}
    with (folder / "php.log").open("wb") as log:
        command = [PHP, "-d", "display_errors=1", "-S", f"127.0.0.1:{port}", str(router)]
        own = os.environ | {f"SHOP_{name}": str(value) for name, value in names.items()}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=own)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            SystemClock().sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def shop(world: World, tmp_path: Path) -> Iterator[str]:
    """With 23 reviews of its product, one to five stars."""
    now = world.clock.now()
    with world.kiitos.store.work.transaction() as tx:
        for number in range(23):
            at = now - timedelta(hours=number)
            row = ReviewRow(
                id=f"n{number:02}", product_id=PRODUCT, rating=1 + number % 5, text=f"Nr-{number:02}.", at=at
            )
            reviews.save(tx, WOO, row, now)
    folder = tmp_path / "wordpress"
    folder.mkdir()
    with wordpress(folder, pasted(world)) as url:
        yield url


def asked(folder: Path) -> list[str]:
    known = folder / "wordpress" / "asked.txt"
    return known.read_text("utf-8").splitlines() if known.exists() else []


def remembered(folder: Path, name: str) -> int:
    """For how many seconds the shop remembers it."""
    return int(json.loads((folder / "wordpress" / name).read_text("utf-8"))[0])


def follow(at: str, html: str, words: str) -> str:
    """Where the link with these words leads from the page at `at`, as a browser works it out."""
    (href,) = re.findall(rf'<a [^>]*?href="([^"]*)"[^>]*>{words}</a>', html)
    return urljoin(at, unescape(href)).partition("#")[0]


def shown(html: str) -> list[str]:
    return re.findall(r"<bdi>(Nr-\d\d)\.</bdi>", html)


def stars(html: str) -> list[int]:
    return [given.count("★") for given in re.findall(r"<p><span class=\"kiitos-rated\"[^>]*>([★☆]+)", html)]


@pytest.mark.parametrize("permalink", [PRETTY, "/?product=mug&lang=en"])
def test_readers_sort_and_turn_pages_in_the_shop(world: World, shop: str, tmp_path: Path, permalink: str) -> None:
    (tmp_path / "plain").mkdir()
    with wordpress(tmp_path / "plain", pasted(world), permalink) as url:
        at = url + permalink
        html = requests.get(at, timeout=10).text
        assert shown(html) == [f"Nr-{number:02}" for number in range(10)]
        at = follow(at, html, "Heikoimmat ensin")
        html = requests.get(at, timeout=10).text
        assert stars(html) == [1] * 5 + [2] * 5
        seen = shown(html)
        for _ in range(2):
            at = follow(at, html, "Seuraava")
            assert urlsplit(at).netloc == urlsplit(url).netloc
            assert urlsplit(at).path == urlsplit(permalink).path
            assert "product=mug" in at or permalink == PRETTY, "where addresses are plain, they say which product"
            answer = requests.get(at, timeout=10)
            assert answer.status_code == 200, "WordPress keeps `page` for itself"
            html = answer.text
            seen += shown(html)
        assert len(seen) == len(set(seen)) == 23
        assert stars(html) == [5, 5, 5]
        assert ">Seuraava<" not in html
        assert "Warning" not in html, "nothing PHP complains of"
        before = requests.get(follow(at, html, "Edellinen"), timeout=10).text
        assert shown(before) == seen[10:20]


def test_the_shop_asks_once_in_five_minutes(shop: str, tmp_path: Path) -> None:
    first = requests.get(shop + PRETTY, timeout=10).text
    assert shown(first)
    assert requests.get(shop + PRETTY, timeout=10).text == first
    assert len(asked(tmp_path)) == 1
    (name,) = [each.name for each in (tmp_path / "wordpress").glob("kiitos_*")]
    assert remembered(tmp_path, name) == shown_reviews.FRESH


def test_nobody_fills_the_shops_database(shop: str, tmp_path: Path) -> None:
    odd = ("kiitos_page=21", "kiitos_page=9999", "kiitos_page=-3", "kiitos_page[]=4", "kiitos_sort[]=best")
    for query in (*odd, "kiitos_sort=' OR 1=1", "kiitos_page=1e9", "utm_source=x"):
        answer = requests.get(f"{shop}{PRETTY}?{query}", timeout=10)
        assert (answer.status_code, bool(shown(answer.text))) == (200, True), query
        assert "Warning" not in answer.text, query
    kept = [each.name for each in (tmp_path / "wordpress").glob("kiitos_*")]
    assert len(kept) <= 2, "the first page, and page 3 that somebody asked for with a minus"


def test_while_kiitos_is_away_or_slow_the_page_comes_without(world: World, tmp_path: Path) -> None:
    """A server that takes the call and says nothing; then one that is not there; then one that answers 500."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        base = world.kiitos.config.app.base_url.rstrip("/")
        away = f"http://127.0.0.1:{free_port()}"
        for at, address in enumerate((f"http://127.0.0.1:{silent.getsockname()[1]}", away, f"{base}/nowhere")):
            folder = tmp_path / str(at)
            (folder / "wordpress").mkdir(parents=True)
            with wordpress(folder / "wordpress", pasted(world).replace(base, address)) as url:
                taken = []
                for _ in range(3):
                    begun = time.monotonic()
                    answer = requests.get(url + PRETTY, timeout=10)
                    taken.append(time.monotonic() - begun)
                    assert (answer.status_code, "<h1>Mug</h1>" in answer.text) == (200, True)
                    assert "kiitos" not in answer.text
                    assert "Warning" not in answer.text
                assert taken[0] < 3.5, "two seconds, and what a loaded machine adds"
                assert max(taken[1:]) < 1.5, "nobody waits a second time"
                assert len(asked(folder)) == 1
                assert remembered(folder, "kiitos_away") == 60


def test_control_without_its_guards_the_snippet_would_fail_here(world: World, shop: str, tmp_path: Path) -> None:
    """What was documented before: no timeout, no memory, and `sort` left behind in the shop's address."""
    base = world.kiitos.config.app.base_url.rstrip("/")
    key = shown_reviews.key_of(world.kiitos, WOO)
    before = f"""<?php add_action('woocommerce_after_single_product_summary', function () {{
        $how = array('timeout' => 5, 'redirection' => 0);
        $answer = wp_remote_get('{base}/p/reviews/{key}/' . get_the_ID() . '?part=1', $how);
        if (200 === wp_remote_retrieve_response_code($answer)) {{ echo wp_remote_retrieve_body($answer); }}
    }});"""
    (tmp_path / "before" / "wordpress").mkdir(parents=True)
    with wordpress(tmp_path / "before" / "wordpress", before) as url:
        html = requests.get(url + PRETTY, timeout=10).text
        worst = requests.get(follow(url + PRETTY, html, "Heikoimmat ensin"), timeout=10).text
        assert stars(worst) != sorted(stars(worst)), "always the ten newest"
        assert len(asked(tmp_path / "before")) == 2
