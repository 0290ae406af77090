package conformance

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"

	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/store/pebble"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

// onDisk opens Pebble with little memory: what is written is soon read back.
func onDisk(dir string) (store.Engine, error) {
	return pebble.Open(dir, pebble.Options{MemTableBytes: 64 << 10, CacheBytes: 64 << 10})
}

// final is the last value of every key of every output, but for those that were
// deleted: a row that came and went between two commits was never there. Timestamps
// are left out: that of a joined row depends on which side was seen last.
func (f *File) final(tb testing.TB, prepare func(*topology.Builder), between func(*Run, int), opts ...topologytest.Option) []string {
	tb.Helper()
	r, err := f.start(tb, prepare, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	rows := map[string]string{}
	for i, s := range f.Steps {
		between(r, i)
		if err := r.Feed(s); err != nil {
			tb.Fatal(err)
		}
	}
	r.Commit()
	for _, rec := range r.Drain() {
		key := rec.Topic + " " + text(rec.Key)
		if delete(rows, key); rec.Value != nil && !(counted[f.Scenario] && *rec.Value == "0") {
			rows[key] = key + " = " + text(rec.Value)
		}
	}
	return slices.Sorted(maps.Values(rows))
}

// Results coalesced or not, a commit after every record or after a thousand, state in
// memory or on disk: the last value of every key is the same.
func TestFinalTables(t *testing.T) {
	t.Parallel()
	plainly, coalesced := func(*topology.Builder) {}, (*topology.Builder).Coalesce
	never := func(*Run, int) {}
	for _, f := range files(t) {
		if why := passing[f.Scenario]; why != "" {
			continue
		}
		t.Run(fmt.Sprintf("%s/%d", f.Scenario, f.Seed), func(t *testing.T) {
			t.Parallel()
			rnd := random(t)
			want := f.final(t, plainly, never)
			variants := []struct {
				name string
				run  func() []string
			}{
				{"coalesced", func() []string { return f.final(t, coalesced, never) }},
				{"coalesced by 7", func() []string { return f.final(t, coalesced, never, topologytest.CommitEvery(7)) }},
				{"coalesced by 1000", func() []string { return f.final(t, coalesced, never, topologytest.CommitEvery(1000)) }},
				{"on disk, and stopped", func() []string {
					stop := func(r *Run, _ int) { sometimes(rnd.IntN(30), r) }
					if idling[f.Scenario] != nil {
						stop = never // see TestRestartsWhileWaiting: a wait begins anew
					}
					return f.final(t, plainly, stop, topologytest.Engine(onDisk))
				}},
			}
			for _, v := range chosen(rnd, variants) {
				name, got := v.name, v.run()
				if !slices.Equal(got, want) {
					t.Errorf("%s:\n  got   %v\n  want  %v", name, got, want)
				}
			}
		})
	}
}

// chosen are all, or one of them in a run that is to be short: every run draws anew.
func chosen[T any](rnd *rand.Rand, all []T) []T {
	if *thorough {
		return all
	}
	i := rnd.IntN(len(all))
	return all[i : i+1]
}

var thorough = flag.Bool("thorough", false, "try every way to run a scenario, and not one of them by lot")

func sometimes(dice int, r *Run) {
	if dice == 0 {
		r.Restart(topologytest.KeepState)
	}
}

// counted are the scenarios that count rows: a group that came and went has a row of 0,
// unless nobody has seen it.
var counted = map[string]bool{
	"table-groupby-count":        true,
	"chain-count-of-counts":      true,
	"table-filternot-then-group": true,
	"join-then-group":            true,
	"empty-table-group":          true,
	"chain-fk-derived-inner":     true,
	"chain-fk-derived-left":      true,
	"cogroup-then-group":         true,
	"session-group-count":        true,
	"headers-group":              true,
}

// passing are the scenarios whose last values depend on what was seen on the way, and why.
var passing = map[string]string{
	"table-groupby-aggregate":  "its values tell what was added and subtracted on the way",
	"empty-groupby":            "likewise",
	"chain-join-groupby":       "likewise",
	"initial-group":            "likewise",
	"initial-tumbling":         "likewise",
	"initial-sliding":          "likewise",
	"initial-session":          "likewise",
	"initial-cogroup":          "likewise",
	"initial-cogroup-tumbling": "likewise",
	"initial-deletes":          "likewise",
	"initial-regroup":          "likewise",
	"nulls-count":              "a count that is emitted at a commit meets the row that the table has then",
	"table-groupby-reduce":     "a group that came and went has a row, unless nobody has seen it",
	"chain-aggregate-groupby":  "likewise",
	"multi-level":              "likewise",
	"suppress-time-limit":      "which updates are emitted depends on when the next one comes",
	"suppress-max-records":     "likewise",
	"suppress-table-join":      "likewise",
	"headers-suppress-time":    "likewise",
	"metadata-suppress":        "likewise, and a coalesced update has no origin",
	"suppress-windowed-inner":  "a side that is ahead closes windows in which the other still counts, as in Kafka Streams",
	"suppress-windowed-left":   "likewise",
	"suppress-windowed-outer":  "likewise",
	"windowed-fk-inner":        "a window that has expired when the answer comes is not joined any more",
	"windowed-fk-left":         "likewise",
	"suppress-then-group":      "what is taken out of a sum is what the last update of a window replaced, as in Kafka Streams",
}

// Keys that meet in one partition meet in one of three, too. Where time decides, the input
// comes in the order of time: a task's time is that of its partition's records, and so is
// what is late.
func TestPartitions(t *testing.T) {
	t.Parallel()
	for _, f := range files(t) {
		if apart(f.Scenario) != "" {
			continue
		}
		if timeless := aggregates[f.Scenario] != nil || tables[f.Scenario] != nil || tableJoins[f.Scenario] != nil || chains[f.Scenario] != nil || empties[f.Scenario] != nil; !timeless || timed[f.Scenario] {
			f = f.inOrder()
		}
		t.Run(fmt.Sprintf("%s/%d", f.Scenario, f.Seed), func(t *testing.T) {
			t.Parallel()
			plainly, never := func(*topology.Builder) {}, func(*Run, int) {}
			one := f.final(t, plainly, never)
			three := f.final(t, plainly, never, topologytest.Partitions(3))
			if !slices.Equal(one, three) {
				t.Errorf("\n  one    %v\n  three  %v", one, three)
			}
		})
	}
}

// inOrder is f with its records in the order of their times, and no other steps.
func (f *File) inOrder() *File {
	g := *f
	g.Steps = slices.DeleteFunc(slices.Clone(f.Steps), func(s Step) bool { return s.In == nil })
	slices.SortStableFunc(g.Steps, func(a, b Step) int { return cmp.Compare(a.In.Time, b.In.Time) })
	return &g
}

// timed are those of the scenarios of tables in which time decides.
var timed = map[string]bool{
	"multi-level": true, "suppress-table-join": true, "empty-stream-join": true, "empty-session": true,
	"stream-join-then-count": true, "stream-join-then-table": true, "stream-join-chain": true,
	"versioned-table-inner": true, "versioned-table-left": true, "versioned-table-outer": true, "versioned-group": true, "versioned-filter": true,
}

// apart is why a scenario means something else in several partitions; "" if it does not.
func apart(scenario string) string {
	for _, a := range []struct{ why, which string }{
		{"what closes a window, or lets go what was held back, is the time of its partition", "on-close|close-then|suppress"},
		{"when a record has no partner is told by the time of its partition", "stream-left|stream-outer|stream-stream-(left|outer)|empty-stream-join|stream-join-then-table|stream-join-chain"},
		{"what waits for a row waits for the time of its partition", "grace-(inner|left)|metadata-grace"},
		{"a window has expired, or not, by the time of its partition when the answer comes", "windowed-fk"},
		{"a timer fires by the time of its partition", "processor-streamtime"},
		{"an input is waited for in each partition by itself", "^idle"},
		{"there are so many entries in each partition", "^lru"},
		{"its values name partitions and offsets", "^metadata"},
		{"its times are not those that order its input", "extractor-count|extractor-partition-time"},
	} {
		if regexp.MustCompile(a.which).MatchString(scenario) {
			return a.why
		}
	}
	return ""
}
