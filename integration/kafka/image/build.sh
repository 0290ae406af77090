#!/usr/bin/env bash
# Builds the image apache/kafka from Debian's packages and Kafka's jars, for a machine that reaches no image registry.
# Needs docker, mmdebstrap, Maven and root; takes about half a minute.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/env.sh"

# base imports a small Debian with Java, the layer under all others.
base() {
  local without=() dir
  for dir in doc info locale; do without+=(--dpkgopt="path-exclude=/usr/share/$dir/*"); done
  mmdebstrap --quiet --variant=essential "${without[@]}" --include=default-jre-headless \
    "$(. /etc/os-release && echo "$VERSION_CODENAME")" - | docker import - leat/kafka-base > /dev/null
}

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
docker image inspect leat/kafka-base > /dev/null 2>&1 || base
kafka_home
cp -r "$here"/image/{Dockerfile,run,tool.sh} "$KAFKA_HOME"/{libs,config} "$context"
DOCKER_BUILDKIT=0 docker build --quiet --network none --tag "$KAFKA_IMAGE" "$context" > /dev/null
