#!/bin/sh
# Chromium for the browser tests, from the system's packages when we may; else one line says how to get it.
set -u
browser() { command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; }
# Playwright's driver is a node binary that needs libatomic, which a minimal Debian lacks.
atomic() { ldconfig -p 2>/dev/null | grep -q 'libatomic\.so\.1'; }
found() { browser && atomic; }
found && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "chromium: installing from the system's packages"
    export DEBIAN_FRONTEND=noninteractive
    for try in 1 2 3 4 5; do
        apt-get -qq update && apt-get -qq -y install --no-install-recommends \
            chromium libatomic1 fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji >/dev/null && break
        sleep 10
    done
fi
found || echo "chromium: not found, browser tests will be skipped; get it with: apt-get install chromium libatomic1"
exit 0
