#!/usr/bin/env bash
# Apicurio Registry as a plain process, in the foreground: a real schema registry, whose storage is Kafka. Confluent's
# interface is at http://127.0.0.1:PORT/apis/ccompat/v7.
#   registry.sh PORT BROKERS    run it; a signal to this process is a signal to the registry
#   registry.sh                 see that it can be run, and fetch what it needs
# Needs Java 21 or newer, or root and a Debian that has it, and the first time Maven.
set -euo pipefail
version=3.3.3
home=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/leat/apicurio-$version

newest_java() {
  local java
  for java in "${JAVA_HOME:+$JAVA_HOME/bin/java}" "$(command -v java || true)" /usr/lib/jvm/*/bin/java; do
    [ -x "$java" ] && [ "$("$java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')" -ge 21 ] 2> /dev/null && { echo "$java"; return; }
  done
  return 1
}

java=$(newest_java) || {
  if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends openjdk-21-jre-headless; } > /dev/null 2>&1 < /dev/null || true
  fi
  java=$(newest_java) || { echo "no Java 21 or newer" >&2; exit 3; }
}

if [ ! -d "$home" ]; then
  command -v mvn > /dev/null || { echo "no Maven to fetch the registry with" >&2; exit 3; }
  new=$home.$$
  mkdir -p "$new"
  mvn -B -q -ntp dependency:copy -Dartifact=io.apicurio:apicurio-registry-app:$version:tar.gz:all -DoutputDirectory="$new" < /dev/null >&2 || { rm -rf "$new"; exit 3; }
  tar -xzf "$new"/*.tar.gz -C "$new" && rm "$new"/*.tar.gz
  mv -T "$new" "$home" 2> /dev/null || rm -rf "$new" # another script may have been quicker
fi
[ $# = 2 ] || exit 0

export APICURIO_STORAGE_KIND=kafkasql APICURIO_KAFKASQL_BOOTSTRAP_SERVERS=$2 KAFKA_BOOTSTRAP_SERVERS=$2
export QUARKUS_HTTP_HOST=127.0.0.1 QUARKUS_HTTP_PORT=$1 QUARKUS_MANAGEMENT_ENABLED=false
run=$(find "$home" -maxdepth 2 -name quarkus-run.jar)
cd "$(dirname "$run")"
exec "$java" -Xmx384m -jar quarkus-run.jar
