#!/usr/bin/env bash
# One Kafka broker as a plain process, in the foreground: a signal to this process is a signal to the broker.
#   broker.sh [server.properties]    without a file: a single node on localhost:9092 that keeps its data in /tmp
# Needs Java 17 and, the first time, Maven.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/env.sh"
kafka_home
properties=${1:-$KAFKA_HOME/config/server.properties}
if [ ! -e "$(sed -n 's/^log\.dirs=//p' "$properties")/meta.properties" ]; then
  java -Xmx128m -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile="$KAFKA_HOME/config/tools-log4j2.yaml" \
    -cp "$KAFKA_HOME/libs/*" kafka.tools.StorageTool format --cluster-id 5L6g3nShT-eMCtK--X86sw --config "$properties"
fi
# shellcheck disable=SC2086 # the options are words
exec java ${KAFKA_HEAP_OPTS:--Xmx1g} -Dlog4j2.configurationFile="$KAFKA_HOME/config/log4j2.yaml" \
  -cp "$KAFKA_HOME/libs/*" kafka.Kafka "$properties"
