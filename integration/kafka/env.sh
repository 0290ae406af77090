# What the scripts beside it share; they set here to this folder before they source it.
KAFKA_VERSION=4.3.1
KAFKA_IMAGE=apache/kafka:$KAFKA_VERSION
KAFKA_HOME=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/leat/kafka-$KAFKA_VERSION

# kafka_home fetches the broker's jars and lays them out in KAFKA_HOME, once, by Maven.
kafka_home() {
  [ ! -d "$KAFKA_HOME" ] || return 0
  local new=$KAFKA_HOME.$$
  mkdir -p "$new"
  cp -r "$here/image/config" "$new"
  mvn -B -q -ntp -Dstyle.color=never -f "$here/image/pom.xml" -Dkafka.version="$KAFKA_VERSION" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$new/libs" < /dev/null >&2 || { rm -rf "$new"; return 1; }
  [ -d "$KAFKA_HOME" ] || mv "$new" "$KAFKA_HOME" # another script may have been quicker
  rm -rf "$new"
}
