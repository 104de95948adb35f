#!/bin/sh
# Installs Redis and RabbitMQ from the system's packages, for the tests of the Celery dispatcher. Harmless to repeat;
# always exits 0, because the tests skip with one line what is missing.
set -u

missing() {
  command -v redis-server >/dev/null 2>&1 || printf 'redis-server '
  command -v rabbitmq-server >/dev/null 2>&1 || [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || printf 'rabbitmq-server '
}

[ -z "$(missing)" ] && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "brokers: installing $(missing)from the system's packages"
  export DEBIAN_FRONTEND=noninteractive
  # The tests start servers of their own; the packages must not start any for the machine.
  policy=/usr/sbin/policy-rc.d
  [ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && ours=1; }
  for try in 1 2 3; do
    # shellcheck disable=SC2046
    apt-get -qq update >/dev/null 2>&1 && apt-get -qq -y install --no-install-recommends $(missing) >/dev/null 2>&1 && break
    sleep 10
  done
  [ "${ours:-}" = 1 ] && rm -f "$policy"
fi
[ -z "$(missing)" ] || echo "brokers: no $(missing)here; the tests that need them will be skipped"
exit 0
