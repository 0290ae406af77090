#!/usr/bin/env bash
# Makes a real Kafka available to the tests and prints, for eval, how they get it:
#   export KAFKA_MODE=container    docker answers and has the image
#   export KAFKA_MODE=process      no docker, but Java and the broker's jars
#   export KAFKA_MODE=none         neither
# With KAFKA_MODE set beforehand only that way is tried. As root it installs what is missing from Debian's packages and
# starts dockerd. What it does goes to standard error; it always ends with 0.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/env.sh"
say() { echo "kafka: $*" >&2; }

need() { # command, the package that brings it
  command -v "$1" > /dev/null && return
  [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null || return 1
  say "installing $2"
  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$2"; } > /dev/null 2>&1 < /dev/null
}

docker_answers() { timeout 10 docker version > /dev/null 2>&1; }

docker_runs() {
  docker_answers && return
  [ -z "${DOCKER_HOST:-}" ] && need dockerd docker.io && need iptables iptables || return 1
  docker_answers && return # the package may have started it
  [ "$(id -u)" = 0 ] || return 1
  local log=${TMPDIR:-/tmp}/dockerd.log
  say "starting dockerd, its log is $log"
  setsid nohup dockerd > "$log" 2>&1 < /dev/null &
  for _ in $(seq 60); do docker_answers && return; sleep 0.5; done
  tail -5 "$log" >&2
  return 1
}

image_is_there() {
  docker image inspect "$KAFKA_IMAGE" > /dev/null 2>&1 && return
  say "pulling $KAFKA_IMAGE"
  timeout 120 docker pull --quiet "$KAFKA_IMAGE" >&2 && return
  say "no registry: building $KAFKA_IMAGE"
  need mmdebstrap mmdebstrap && need mvn maven && timeout 300 "$here/image/build.sh" >&2
}

compose_is_there() { docker compose version > /dev/null 2>&1 || need docker-compose docker-compose; }

in_container() { docker_runs && image_is_there && { compose_is_there || say "no docker compose"; }; }
as_process() { command -v java > /dev/null && kafka_home; }

mode=none
case ${KAFKA_MODE:-any} in
  container) in_container && mode=container ;;
  process) as_process && mode=process ;;
  any) if in_container; then mode=container; elif say "no container"; as_process; then mode=process; fi ;;
esac
say "$KAFKA_IMAGE, mode $mode, after $SECONDS s"
echo "export KAFKA_MODE=$mode"
