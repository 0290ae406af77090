package main

import (
	"context"
	"slices"
	"time"

	"github.com/leatstream/leat/bench/peers/internal/broker"
	"github.com/leatstream/leat/bench/peers/internal/report"
	"github.com/leatstream/leat/bench/peers/internal/trial"
)

// A job is one row of the comparison: programs that do the same, in turn.
type job struct {
	name    string
	group   string // a name for several
	title   string
	certain bool // every variant must come to the same answer
	inOrder bool // later variants depend on what was measured of earlier ones
	long    bool // not among those that run when none is named
	side    []variant
	measure func(context.Context, *trial.Trial) (trial.Run, error)
	aims    []report.Aim
}

// A variant is a program with its settings.
type variant struct {
	label   string
	program string // leat, bareLoop or streams
	work    string // what it does, by the program's own name for it
	input   broker.Input
	table   int // rows of the table that work joins
	events  int // of NEXMark, in the place of input

	memory   bool  // leat: no Pebble
	budget   int64 // leat: of the whole process
	held     int64 // leat: MemoryBudget, in a process without a budget
	engine   int64 // leat, beside held: what Pebble may take
	reads    bool  // leat: count the engine's reads
	settings []string
	capTo    string // streams: no more resident memory than that variant had
	capBytes int64  // nor than that
}

const (
	leat     = "leat"
	bareLoop = "bare loop"
	streams  = "Kafka Streams"
	example  = "examples/nexmark" // with leat
)

// everyUpdate makes Kafka Streams emit every update, as leat does by default.
const everyUpdate = "statestore.cache.max.bytes=0"

func jobs(records, keys int) []job {
	in := broker.Input{Records: records, Keys: keys, Partitions: 4, ValueBytes: 100}
	few := broker.Input{Records: 1000, Keys: 100, Partitions: 4, ValueBytes: 100}
	none := broker.Input{Keys: keys, Partitions: 4, ValueBytes: 100}
	two := func(work string, settings ...string) []variant {
		return []variant{
			{label: leat, program: leat, work: work, input: in},
			{label: streams, program: streams, work: work, input: in, settings: settings},
		}
	}
	all := []job{
		{
			name: "copy", title: "Copy", measure: rate,
			side: append(two("copy"), variant{label: bareLoop, program: bareLoop, work: "copy", input: in}),
			aims: []report.Aim{{Metric: trial.Rate, Of: leat, Than: bareLoop, Least: 0.85}, {Metric: trial.Rate, Of: leat, Than: streams, Least: 3.2}},
		},
		{
			name: "count", title: "Count per key, every update", measure: rate,
			side: append(two("count", everyUpdate), variant{label: bareLoop, program: bareLoop, work: "count", input: in}),
			aims: append(costs(), report.Aim{Metric: trial.Rate, Of: leat, Than: bareLoop, Least: 0.7}, report.Aim{Metric: trial.Rate, Of: leat, Than: streams, Least: 4.5}),
		},
		{
			name: "coalesced", title: "Count per key, once per commit", measure: rate,
			side: []variant{
				{label: leat, program: leat, work: "coalesced", input: in},
				{label: streams, program: streams, work: "count", input: in},
			},
			aims: append(costs(), fiveTimes()),
		},
		{name: "window", title: "Count per key and window of 10 s, every update", measure: rate, side: andCached(two("window", everyUpdate)), aims: append(costs(), besideCached()...)},
		{name: "repartition", title: "Repartition and count, every update", measure: rate, side: andCached(two("repartition", everyUpdate)), aims: append(costs(), besideCached()...)},
		{name: "join", title: "Join a stream with a table", measure: rate, side: withTable(two("join", everyUpdate), keys), aims: append(costs(), fiveTimes())},
		{
			name: "latency", title: "Copy 5 000 records/s: from making a record to reading its copy, committed",
			measure: func(ctx context.Context, t *trial.Trial) (trial.Run, error) {
				return t.Latency(ctx, trial.Load{PerSecond: 5000, For: 20 * time.Second, Keys: keys})
			},
			side: []variant{
				{label: leat, program: leat, work: "copy", input: none},
				{label: streams, program: streams, work: "copy", input: none},
				{label: streams10, program: streams, work: "copy", input: none, settings: []string{"commit.interval.ms=10"}},
			},
			aims: []report.Aim{
				{Metric: trial.P50, Of: leat, Than: streams, Most: 1. / 5}, {Metric: trial.P99, Of: leat, Than: streams, Most: 1. / 6},
				{Metric: trial.P50, Of: leat, Than: streams10, Most: 1}, {Metric: trial.P99, Of: leat, Than: streams10, Most: 1},
			},
		},
		{
			name: "idle", title: "Count, with nothing to do",
			measure: func(ctx context.Context, t *trial.Trial) (trial.Run, error) {
				return t.Idle(ctx, 5*time.Second, 10*time.Second)
			},
			side: each(two("count"), func(v *variant) { v.input = few }),
			aims: []report.Aim{{Metric: trial.Memory, Of: leat, Most: 40}, {Metric: trial.Memory, Of: leat, Than: streams, Most: 1. / 4}},
		},
		{
			name: "start", title: "From the start of the process to its first result, without state", measure: firstOutput,
			side: each(two("count"), func(v *variant) { v.input = few }),
			aims: []report.Aim{{Metric: trial.First, Of: leat, Than: streams, Most: 1. / 5}},
		},
	}
	return slices.Concat(all, growth(in), nexmark(records))
}

const (
	streams10     = streams + ", commit interval 10 ms"
	streamsCached = streams + ", its default cache"
)

// growth are the jobs about what becomes of the rate when there is more of something.
func growth(in broker.Input) []job {
	wide, large := in, in
	wide.Keys, wide.Records = 2_000_000, 2*in.Records
	large.Keys, large.Records = 10_000_000, 10*in.Records
	memory := func(label, program string, keys int) variant {
		v := variant{label: label, program: program, work: "count", input: in, memory: true, budget: 16 << 30}
		v.input.Keys, v.input.Records = keys, 5*in.Records
		return v
	}
	parts := func(label, program string, partitions, idle int32) variant {
		v := variant{label: label, program: program, work: "count", input: in}
		v.input.Partitions, v.input.Idle = partitions, idle
		v.input.Records = 8 * in.Records // in the first seconds brokers learn, the more the more partitions there are
		return v
	}
	return []job{
		{
			name: "reads", title: "Count 2 M keys, every update, with a MemoryBudget of 64 MiB and 256 MiB for the engine", measure: rate, inOrder: true,
			side: []variant{
				{label: leat, program: leat, work: "count", input: wide, held: 64 << 20, engine: 256 << 20, reads: true},
				{label: streams, program: streams, work: "count", input: wide, settings: []string{everyUpdate}, capBytes: 1 << 30},
			},
			aims: []report.Aim{{Metric: trial.Rate, Of: leat, Than: streams, Least: 2}},
		},
		{
			name: "large", title: "Count 10 M keys, every update, in a process of 256 MiB", measure: rate, inOrder: true, long: true,
			side: []variant{
				{label: leat, program: leat, work: "count", input: large, budget: 256 << 20, reads: true},
				{label: streams, program: streams, work: "count", input: large, settings: []string{everyUpdate}, capTo: leat},
			},
			aims: []report.Aim{{Metric: trial.Rate, Of: leat, Than: streams, Least: 3}},
		},
		{
			name: "partitions", title: "Count, by number of partitions", measure: rate,
			side: []variant{
				parts("1", leat, 1, 0), parts("4", leat, 4, 0), parts("16", leat, 16, 0), parts("64", leat, 64, 0),
				parts("1, bare", bareLoop, 1, 0), parts("4, bare", bareLoop, 4, 0), parts("64, bare", bareLoop, 64, 0),
			},
			aims: []report.Aim{
				{Metric: trial.Rate, Of: "1", Than: "4", Least: 0.9}, {Metric: trial.Rate, Of: "16", Than: "4", Least: 0.9}, {Metric: trial.Rate, Of: "64", Than: "4", Least: 0.9},
				{Metric: trial.Rate, Of: "1", OfBase: "4", Than: "1, bare", ThanBase: "4, bare", Least: 1}, {Metric: trial.Rate, Of: "64", OfBase: "4", Than: "64, bare", ThanBase: "4, bare", Least: 1},
			},
		},
		{
			name: "tasks", title: "Count 5 000 records/s in 4 partitions, beside tasks that have nothing to do",
			measure: func(ctx context.Context, t *trial.Trial) (trial.Run, error) {
				return t.Latency(ctx, trial.Load{PerSecond: 5000, For: 10 * time.Second, Keys: in.Keys, Settled: true})
			},
			side: each([]variant{parts("none", leat, 4, 0), parts("200", leat, 4, 200), parts("1000", leat, 4, 1000)}, func(v *variant) { v.input.Records = 0 }),
			aims: []report.Aim{{Metric: trial.CPU, Of: "1000", Than: "none", Most: 1.1}},
		},
		{
			name: "keys", title: "Count in memory, by number of keys", measure: rate, long: true,
			side: []variant{
				memory("10 000", leat, 10_000), memory("10 000, bare", bareLoop, 10_000),
				memory("10 M", leat, 10_000_000), memory("10 M, bare", bareLoop, 10_000_000),
			},
			aims: []report.Aim{{Metric: trial.Rate, Of: "10 M", OfBase: "10 000", Than: "10 M, bare", ThanBase: "10 000, bare", Least: 1}},
		},
	}
}

func fiveTimes() report.Aim {
	return report.Aim{Metric: trial.Rate, Of: leat, Than: streams, Least: 5}
}

func costs() []report.Aim {
	return []report.Aim{{Metric: trial.CPU, Of: leat, Than: streams, Most: 1. / 5}, {Metric: trial.Peak, Of: leat, Than: streams, Most: 1. / 4}}
}

// andCached adds Kafka Streams at its defaults, where it emits fewer updates, does more for that, and holds more.
func andCached(side []variant) []variant {
	cached := side[len(side)-1]
	cached.label, cached.settings = streamsCached, nil
	return append(side, cached)
}

func besideCached() []report.Aim {
	return []report.Aim{
		fiveTimes(), {Metric: trial.Rate, Of: leat, Than: streamsCached, Least: 5},
		{Metric: trial.CPU, Of: leat, Than: streamsCached, Most: 1. / 5}, {Metric: trial.Peak, Of: leat, Than: streamsCached, Most: 1. / 4},
	}
}

func each(side []variant, change func(*variant)) []variant {
	for i := range side {
		change(&side[i])
	}
	return side
}

func withTable(side []variant, rows int) []variant {
	return each(side, func(v *variant) { v.table = rows })
}

func rate(ctx context.Context, t *trial.Trial) (trial.Run, error) { return t.Rate(ctx) }

func firstOutput(ctx context.Context, t *trial.Trial) (trial.Run, error) { return t.FirstOutput(ctx) }
