#!/bin/sh
# The lock files from pyproject.toml, with hashes, for every platform; no index address is written into them.
#   requirements.lock        what the wheel needs
#   requirements-dev.lock    what developing needs beside it
#   requirements-image.lock  what the container image has: every extra that needs nothing from the system
set -eu
venv=${1:-.venv}
write() {
    out=$1
    shift
    "$venv/bin/uv" pip compile -q --generate-hashes --universal --python-version 3.11 --no-emit-index-url \
        --no-emit-find-links --custom-compile-command "make lock" "$@" pyproject.toml -o "$out"
}
write requirements.lock
write requirements-dev.lock --extra dev
# What is not pinned yet is taken as development has it, so that the image runs what the tests ran.
[ -f requirements-image.lock ] || cp requirements-dev.lock requirements-image.lock
write requirements-image.lock --extra procrastinate --extra celery --extra s3 --extra litestream --extra otel
