#!/bin/sh
# Installs PostgreSQL from the system's packages, for the tests that run on it. Harmless to repeat; always exits 0,
# because the tests skip with one line when there is no PostgreSQL.
set -u

installed() {
  command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

if installed; then
  echo "PostgreSQL is installed."
  exit 0
fi

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "No PostgreSQL: install your system's package (Debian: postgresql), or set KIITOS_TEST_POSTGRES to a server's address."
  exit 0
fi

# The tests start a private cluster of their own; the package would otherwise make and start one for the machine.
mkdir -p /etc/postgresql-common
conf=/etc/postgresql-common/createcluster.conf
grep -qs '^create_main_cluster' "$conf" || echo 'create_main_cluster = false' >>"$conf"

export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
tries=0
until apt-get update -q >"$log" 2>&1 && apt-get install -y -q --no-install-recommends postgresql >>"$log" 2>&1; do
  tries=$((tries + 1))
  if [ "$tries" -ge 5 ] || ! grep -qi 'lock' "$log"; then
    break # only a lock held by another apt is worth waiting for
  fi
  sleep 10
done

if installed; then
  echo "PostgreSQL was installed."
else
  tail -n 3 "$log"
  echo "PostgreSQL could not be installed; the tests that need it will be skipped."
fi
rm -f "$log"
exit 0
