#!/bin/sh
# Both lock files from pyproject.toml, with hashes, for every platform; no index address is written into them.
set -eu
venv=${1:-.venv}
"$venv/bin/python" -m pip install -q --disable-pip-version-check uv
for extra in "" dev; do
    out=requirements${extra:+-$extra}.lock
    "$venv/bin/uv" pip compile -q --generate-hashes --universal --python-version 3.11 --no-emit-index-url \
        --no-emit-find-links --custom-compile-command "make lock" ${extra:+--extra "$extra"} pyproject.toml -o "$out"
done
