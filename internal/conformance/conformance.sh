#!/usr/bin/env bash
# Runs what Kafka Streams put out against leat: the files of DIR if that is set, else those of testdata, and with
# SEEDS=N also N fresh seeds, made here by Kafka Streams itself (Java 17 and Maven). The last line is "N passed, N failed".
set -euo pipefail
called_from=$PWD
cd "$(dirname "$0")"
bin=$(cd ../.. && pwd)/bin
GOTOOLCHAIN=${GOTOOLCHAIN:-auto} go test -c -o "$bin/conformance.test" .

dirs='testdata/seed*'
if [ -n "${DIR:-}" ]; then
	dirs=$(cd "$called_from" && cd "$DIR" && pwd)
elif [ "${SEEDS:-0}" -gt 0 ]; then
	missing=
	for tool in java javac mvn; do command -v $tool > /dev/null || missing+=" $tool"; done
	if [ -n "$missing" ]; then
		echo "SKIPPED $SEEDS fresh seeds: not installed:$missing"
	else
		rm -rf "$bin/seeds"
		first=${FIRST:-$(date +%s)}
		for ((seed = first; seed < first + SEEDS; seed++)); do
			testdata/oracle/run.sh "$bin/seeds/$seed" "$seed" > /dev/null
		done
		echo "fresh seeds: $first to $((first + SEEDS - 1)), in bin/seeds; FIRST=$first makes them again"
		dirs+=",$bin/seeds/*"
	fi
fi
exec "$bin/conformance.test" -test.run '^TestPeer$' -summary -dirs "$dirs"
