#!/bin/sh
# Installs postfix from the system's packages, for the tests that want real delivery reports. Harmless to repeat; always
# exits 0, because those tests skip with one line when there is no postfix. The package starts nothing: the tests run a
# private queue with a configuration of their own.
set -u

if [ -x /usr/sbin/postfix ]; then
  echo "postfix is installed."
  exit 0
fi

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "No postfix: install your system's package (Debian: postfix, type 'No configuration')."
  exit 0
fi

export DEBIAN_FRONTEND=noninteractive
echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
log=$(mktemp)
tries=0
until apt-get update -q >"$log" 2>&1 && apt-get install -y -q --no-install-recommends postfix >>"$log" 2>&1; do
  tries=$((tries + 1))
  if [ "$tries" -ge 5 ] || ! grep -qi 'lock' "$log"; then
    break # only a lock held by another apt is worth waiting for
  fi
  sleep 10
done

if [ -x /usr/sbin/postfix ]; then
  echo "postfix was installed."
else
  tail -n 3 "$log"
  echo "postfix could not be installed; the tests that need it will be skipped."
fi
rm -f "$log"
