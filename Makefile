# leat needs Go (1.21 or newer: it fetches the toolchain that go.mod names) and make. gcc adds the race detector, docker
# or Java adds the tests against a real Kafka; what is missing is said, and left out.
export GOTOOLCHAIN = auto
SHELL = bash
GO ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
MODULES = . integration bench/avro bench/formats bench/peers bench/recovery
DURATION ?= 3m
SEED ?= $(shell echo $$RANDOM)

# The race detector needs cgo and a C compiler.
RACE = $(shell [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v $$($(GO) env CC) > /dev/null && echo -race)

.DEFAULT_GOAL = help
.PHONY: help build demo test conformance integration chaos soak lint sim mutants bench bench-record bench-avro bench-formats bench-peers bench-rebalance bench-restore image clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

build: ## compile bin/processor
	$(GO) build -trimpath -o bin/processor ./cmd/processor

demo: build ## count a book's words with a broker inside the process; INPUT=FILE and OUTPUT=FILE for your own
	bin/processor demo $(if $(INPUT),--input '$(INPUT)') $(if $(OUTPUT),--output '$(OUTPUT)')

test: bin/summary ## run all tests that need no Kafka, with the race detector
	@$(if $(RACE),,echo 'SKIPPED the race detector: no C compiler for cgo';) \
	bin/summary -budget 8m -- $(RACE) -timeout 8m ./...

conformance: ## compare with Kafka Streams' own output; SEEDS=10 makes that many fresh seeds too, DIR=path runs a folder's files
	@internal/conformance/conformance.sh

integration: bin/summary ## run the tests against a real Kafka: in containers if docker is here or can be installed
	@eval "$$(integration/kafka/ensure.sh)"; \
	echo "real Kafka: $$KAFKA_MODE, $$(. integration/kafka/env.sh; echo $$KAFKA_IMAGE)"; \
	bin/summary -C integration -budget 15m -- -count=1 -p 1 -timeout 15m ./...

soak: CHAOS = -soak
soak: chaos ## make chaos with 5 000 records/s and a process that nothing happens to: does it grow? DURATION=30m
chaos: ## kill, pause, cut and fill up what runs four topologies, and check the results; DURATION=30m, SEED=n, GUARANTEE=exactly_once say how
	@eval "$$(integration/kafka/ensure.sh)"; mkdir -p bin && \
	$(GO) -C integration test -c -o ../bin/chaos.test ./chaos && cd integration/chaos && \
	../../bin/chaos.test -test.v -test.timeout 0 -test.artifacts -test.outputdir ../../bin -duration $(DURATION) -seed $(SEED) -guarantee "$(GUARANTEE)" $(CHAOS)

lint: format tidy vet static ## check the format, the module files, go vet and staticcheck

.PHONY: format tidy vet static
format:
	@files=$$("$$($(GO) env GOROOT)/bin/gofmt" -l .); [ -z "$$files" ] || { echo "not in gofmt's format:" $$files; exit 1; }
tidy:
	@for module in $(MODULES); do $(GO) -C $$module mod tidy -diff || exit 1; done
vet:
	@for module in $(MODULES); do $(GO) -C $$module vet ./... || exit 1; done
static:
	@GOTOOLCHAIN=$$($(GO) env GOVERSION) GOBIN='$(CURDIR)/bin' $(GO) install $(STATICCHECK) || \
	{ echo 'SKIPPED staticcheck: it cannot be fetched'; exit 0; }; \
	for module in $(MODULES); do (cd $$module && '$(CURDIR)/bin/staticcheck' ./...) || exit 1; done

SEEDS ?= 10000
sim: ## simulate SEEDS=10000 histories full of crashes and lost messages, in one thread; SEED=n plays one again
	SIM_SEEDS=$(SEEDS) $(if $(filter-out file,$(origin SEED)),SIM_SEED=$(SEED)) $(GO) test -count=1 -timeout 1h -v -run '^TestSimulation$$' ./internal/instance

mutants: ## break the exactly-once rules one by one, and see that a test fails each time
	$(GO) run ./internal/ci/mutants

BENCHSTAT = golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
BENCHED = ./pkg/topology ./internal/state ./internal/worker ./pkg/store/pebble ./internal/changelog
COUNT ?= 6
bench: ## say what a record costs in each operator, store and engine, beside what was recorded last; COUNT=6 times each
	@mkdir -p bin && $(GO) test -run '^$$' -bench . -benchtime 200ms -count $(COUNT) $(BENCHED) 2>&1 | tee bin/bench.txt | \
	{ grep -v -e '^ok' -e '^PASS' -e 'no test files' || true; }; [ "$${PIPESTATUS[0]}" = 0 ]
	@GOTOOLCHAIN=$$($(GO) env GOVERSION) GOBIN='$(CURDIR)/bin' $(GO) install $(BENCHSTAT) 2> /dev/null || \
	{ echo 'SKIPPED the comparison: benchstat cannot be fetched'; exit 0; }; \
	bin/benchstat -ignore pkg $$(ls bench/results/bench.txt 2> /dev/null | sed 's/^/recorded=/') now=bin/bench.txt

bench-record: ## keep what make bench has just measured as what is compared with next time
	@grep -e '^Benchmark' -e '^goos' -e '^goarch' -e '^pkg' -e '^cpu' bin/bench.txt > bench/results/bench.txt

bench-avro: ## compare the Avro codecs with other libraries for Go
	$(GO) -C bench/avro test -bench . -benchtime 100ms -count 6

bench-formats: ## compare JSON, Protobuf, JSON Schema and the registry's frames with other libraries for Go
	$(GO) -C bench/formats test -bench . -benchtime 100ms -count 6

ROUNDS ?= 5
bench-peers: ## run beside Kafka Streams and bare franz-go on a real Kafka, ROUNDS=5 times each; JOBS=copy,count,... or all
	@$(GO) -C bench/peers build -o ../../bin/peers . && cd bench/peers && ../../bin/peers -rounds $(ROUNDS) -jobs '$(JOBS)' $(if $(RECORDS),-records $(RECORDS))

RECOVERY = eval "$$(integration/kafka/ensure.sh)"; mkdir -p bin && $(GO) -C bench/recovery test -c -o ../../bin/recovery.test . && \
	$(GO) -C bench/peers build -o ../../bin/peers . && \
	classpath=$$(bench/peers/streams/build.sh '$(CURDIR)/bin/streams') || echo 'SKIPPED Kafka Streams'; cd bench/recovery && \
	../../bin/recovery.test -test.timeout 0 -processor '$(CURDIR)/bin/processor' -peers '$(CURDIR)/bin/peers' -classpath "$$classpath" -rounds $(ROUNDS) -test.run

bench-rebalance: build ## see how long partitions stand still when processes come, stop and die, beside Kafka Streams
	@$(RECOVERY) '^TestRebalance$$'

bench-restore: build ## restore 3 million changelog records ROUNDS=5 times, beside Kafka Streams and a bare consumer
	@$(RECOVERY) '^TestRestore$$'

image: ## build the container image leat/processor
	rm -rf bin/image && mkdir -p bin/image/{etc/ssl/certs,tmp,var/lib/leat}
	CGO_ENABLED=0 GOOS=linux $(GO) build -trimpath -ldflags=-s -o bin/image/processor ./cmd/processor
	cp /etc/ssl/certs/ca-certificates.crt bin/image/etc/ssl/certs/ || echo 'no CA certificates here: the image has none'
	docker build --tag leat/processor .

clean: ## remove what the targets made
	rm -rf bin data

bin/summary: $(wildcard internal/ci/summary/*.go)
	@$(GO) build -o $@ ./internal/ci/summary
