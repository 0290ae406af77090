#!/usr/bin/env bash
# Fetches Kafka Streams with Maven, once, compiles the jobs, and prints the class path. Without Java 17, its compiler
# or Maven it says so and ends with 3.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=4.3.1
home=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/leat/streams-$version

for tool in java javac; do
  command -v $tool > /dev/null || { echo "no $tool" >&2; exit 3; }
done
if [ ! -d "$home" ]; then
  command -v mvn > /dev/null || { echo "no Maven to fetch Kafka Streams with" >&2; exit 3; }
  new=$home.$$
  mkdir -p "$new"
  mvn -B -q -ntp -Dstyle.color=never -f "$here/pom.xml" -Dstreams.version=$version dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$new" < /dev/null >&2 || { rm -rf "$new"; echo "Maven cannot fetch Kafka Streams" >&2; exit 3; }
  mv -T "$new" "$home" 2> /dev/null || rm -rf "$new" # another run may have been quicker
fi
classes=$1
mkdir -p "$classes"
javac -cp "$home/*" -d "$classes" "$here"/src/*.java >&2 || { echo "javac refuses them" >&2; exit 3; }
echo "$classes:$home/*"
