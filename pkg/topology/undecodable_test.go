package topology_test

import (
	"encoding/json/v2"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

var (
	rawRows = topology.NewTopic("rows", serde.String, serde.String) // as others write them
	dead    = topology.NewTopic("dead", serde.String, serde.String)
)

// globalNumerals is a global table of numbers.
func globalNumerals() (*topology.Builder, topology.GlobalTable[string, string]) {
	b := topology.New()
	g := b.GlobalTable(rawRows, store.KeyValue("g", serde.String, serde.Serde[string](numerals{})))
	lookUp(b.From(ask), g)
	return b, g
}

// What no policy passes over keeps the service from starting, or stops it, with the record
// named, unless there is a newer row by then. It is not taken for known at the next start.
func TestUndecodableRowOfGlobalTable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		then string // of the same key
		ok   bool
	}{"left": {"word", false}, "replaced": {"7", true}, "deleted": {"", true}} {
		var failed error
		b, g := globalNumerals()
		d := topologytest.New(t, b, topologytest.OnError(func(err error) { failed = err }))
		refused := func(when string, at int) {
			t.Helper()
			want := fmt.Sprintf(`global table g, topic rows: task global, node "g", record rows[0]@%d: value: `, at)
			if !errors.Is(failed, topology.ErrDecode) || !strings.Contains(failed.Error(), want) || !strings.Contains(failed.Error(), "word is no number") {
				t.Errorf("%s, %s: %v", name, when, failed)
			}
			failed = nil
		}
		d.Send(rawRows, "a", "1")
		if failed != nil {
			t.Fatal(failed)
		}
		d.Send(rawRows, "b", "word")
		refused("it is followed", 1)
		d.Crash(topologytest.KeepState)
		refused("started again", 1)
		if c.then == "" {
			d.PipeRaw("rows", task.Message{Key: []byte("b")})
		} else {
			d.Send(rawRows, "b", c.then)
		}
		failed = nil
		for _, local := range []topologytest.Local{topologytest.KeepState, topologytest.LoseState} {
			if d.Crash(local); !c.ok {
				refused("written again", 2)
				continue
			}
			if failed != nil {
				t.Fatalf("%s: %v", name, failed)
			}
			if v, ok, err := g.Open(d).Get("b"); v != c.then || ok != (c.then != "") || err != nil {
				t.Errorf("%s: %q %v %v", name, v, ok, err)
			}
		}
	}
}

// What a policy passes over is counted, is not a dead letter of every process, and leaves
// no row, whether the process has known the one before or not. The same goes for what was
// kept by a build that could read it.
func TestUndecodableRowPassedOver(t *testing.T) {
	t.Parallel()
	for _, policy := range []topology.Policy{topology.Skip, topology.DeadLetter} {
		b, g := globalNumerals()
		d := topologytest.New(t, b, topologytest.Failures(policy, topology.Fail, "dead"))
		row := func(key string) string {
			v, ok, err := g.Open(d).Get(key)
			return fmt.Sprintf("%s %v %v; ", v, ok, err)
		}
		d.Send(rawRows, "a", "1")
		d.Send(rawRows, "b", "2")
		d.Send(rawRows, "b", "word")
		d.PipeRaw("rows", task.Message{Value: []byte("1")})
		for _, local := range []topologytest.Local{topologytest.KeepState, topologytest.LoseState} {
			if got := row("a") + row("b"); got != "1 true <nil>;  false <nil>; " {
				t.Errorf("%v: %s", policy, got)
			}
			if got := d.Dropped(); !maps.Equal(got, map[string]int64{"undecodable": 1, "null_key": 1}) {
				t.Errorf("%v, state is kept %v: dropped %v", policy, local, got)
			}
			if got := d.Take(dead); len(got) > 0 {
				t.Errorf("%v: %d dead letters", policy, len(got))
			}
			d.Restart(topologytest.LoseState)
		}

		lax := topology.New()
		table := lax.GlobalTable(rawRows, store.KeyValue("g", serde.String, serde.Serde[string](anything{})))
		lookUp(lax.From(ask), table)
		d.Upgrade(lax, topologytest.LoseState)
		if v, _, err := table.Open(d).Get("b"); v != "word" || err != nil {
			t.Errorf("who can read it: %q, %v", v, err)
		}
		d.Dropped()
		b, g = globalNumerals()
		d.Upgrade(b, topologytest.KeepState)
		if got := row("a") + row("b"); got != "1 true <nil>;  false <nil>; " || d.Dropped()["undecodable"] != 1 {
			t.Errorf("%v: after another build: %s", policy, got)
		}
	}
}

// A global store is not handed what cannot be decoded. What code fails on no policy passes
// over, whatever the error says.
func TestUndecodableForGlobalStore(t *testing.T) {
	t.Parallel()
	var failed error
	b := topology.New()
	in := topology.NewTopic("rows", serde.String, serde.Serde[string](numerals{}))
	g := b.GlobalStore(in, store.KeyValue("g", serde.String, serde.String), func(rows *store.View[string, string], r topology.Record[string, string]) error {
		if r.Value == "13" {
			return fmt.Errorf("an envelope: %w", topology.ErrDecode)
		}
		return rows.Put(r.Key, r.Value)
	})
	lookUp(b.From(ask), g)
	d := topologytest.New(t, b, topologytest.Failures(topology.Skip, topology.Skip, ""), topologytest.OnError(func(err error) { failed = err }))
	d.Send(rawRows, "a", "1")
	d.Send(rawRows, "a", "word")
	if v, _, err := g.Open(d).Get("a"); v != "1" || err != nil || failed != nil || d.Dropped()["undecodable"] != 1 {
		t.Errorf("%q, %v, %v", v, err, failed)
	}
	if d.Send(rawRows, "b", "13"); failed == nil || !strings.Contains(failed.Error(), "rows[0]@2: ") {
		t.Errorf("%v", failed)
	}
}

// A table is not restored from a source topic that this build cannot decode, with the
// record named, unless there is a newer row by then.
func TestUndecodableSourceAsChangelog(t *testing.T) {
	t.Parallel()
	backed := func(s serde.Serde[string]) (*topology.Builder, topology.Topic[string, string]) {
		b, in := topology.New(), topology.NewTopic("rows", serde.String, s)
		b.Table(in, store.KeyValue("t", serde.String, s), topology.SourceAsChangelog())
		return b, in
	}
	var failed error
	b, in := backed(anything{})
	d := topologytest.New(t, b, topologytest.OnError(func(err error) { failed = err }))
	d.Send(in, "a", "1")
	d.Send(in, "b", "word")
	b, _ = backed(numerals{})
	if d.Upgrade(b, topologytest.KeepState); !errors.Is(failed, serde.ErrUnreadable) || !strings.Contains(failed.Error(), `node "store t": value: `) {
		t.Errorf("kept: %v", failed)
	}
	b, _ = backed(numerals{})
	if d.Upgrade(b, topologytest.LoseState); !errors.Is(failed, topology.ErrDecode) || !strings.Contains(failed.Error(), `task 0_0, node "store t", record rows[0]@1: value: `) {
		t.Errorf("restored: %v", failed)
	}
	failed = nil
	b, in = backed(anything{})
	d.Upgrade(b, topologytest.LoseState)
	d.Send(in, "b", "2")
	for _, local := range []topologytest.Local{topologytest.KeepState, topologytest.LoseState} {
		b, _ = backed(numerals{})
		if d.Upgrade(b, local); failed != nil {
			t.Errorf("replaced, state is kept %v: %v", local, failed)
		}
	}
}

// loose writes a key in other bytes than the service would.
type loose struct{ serde.Serde[string] }

func (loose) Append(dst []byte, v string) ([]byte, error) {
	b, err := json.Marshal(v)
	return append(append(dst, ' '), b...), err
}

// A table that is restored from its source topic is what processing has left: with the
// service's own bytes for keys that others write otherwise, with the times that the topic
// is read with, and without what they drop.
func TestSourceAsChangelogRestoresWhatWasProcessed(t *testing.T) {
	t.Parallel()
	key, value := serde.JSON[string](), serde.JSON[map[string]int]()
	in := topology.NewTopic("rows", key, value).OnInvalidTime(topology.SkipInvalid).
		Timed(func(r topology.Record[string, map[string]int]) time.Time { return time.UnixMilli(int64(r.Value["at"])) })
	rows := store.KeyValue("t", key, value)
	b := topology.New()
	b.Table(in, rows, topology.SourceAsChangelog())
	d := topologytest.New(t, b)
	others := topology.NewTopic("rows", serde.Serde[string](loose{serde.String}), serde.String)
	d.Send(others, "a", `{ "at": 5 }`)
	d.Send(others, "a", `{"at":-1}`)
	d.Send(others, "b", `{"at": 6}`)
	d.PipeRaw("rows", task.Message{Key: []byte(`  "b"`)})
	for _, local := range []topologytest.Local{topologytest.KeepState, topologytest.LoseState} {
		d.Restart(local)
		var got []string
		for e, err := range rows.Open(d).All() {
			got = append(got, fmt.Sprint(e.Key, e.Value, e.Time.UnixMilli(), err))
		}
		_, ok, err := rows.Open(d).Get("a")
		expect(t, append(got, fmt.Sprint(ok, err)), "amap[at:5] 5 <nil>", "true <nil>")
	}
}

// A reading is a row of about 100 bytes.
type reading struct {
	Sensor string  `json:"sensor"`
	Place  string  `json:"place"`
	Value  float64 `json:"value"`
	Time   int64   `json:"time"`
}

// BenchmarkRestoreFromSource is a restore into memory from a topic that others write: as
// texts, which nothing can be wrong with, and as records that have to be decoded.
func BenchmarkRestoreFromSource(b *testing.B) {
	raw, err := serde.JSON[reading]().Append(nil, reading{"sensor-000042", "hall 7, row 12, left of the door", 21.5, 1_700_000_000_000})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("text", func(b *testing.B) { restoreFromSource(b, serde.String, raw) })
	b.Run("json", func(b *testing.B) { restoreFromSource(b, serde.JSON[reading](), raw) })
}

func restoreFromSource[V any](b *testing.B, s serde.Serde[V], raw []byte) {
	in, t := topology.NewTopic("rows", serde.String, s), topology.New()
	t.Table(in, store.KeyValue("t", serde.String, s), topology.SourceAsChangelog())
	g := topology.New()
	lookUpAny(g, g.GlobalTable(in, store.KeyValue("t", serde.String, s)))
	records := make([]task.Message, 1000)
	for i := range records {
		records[i] = task.Message{Key: fmt.Appendf(nil, "k%07d", i), Value: raw, Time: 1, Offset: int64(i)}
	}
	each := func(b *testing.B, fill func() error) {
		b.ReportAllocs()
		for b.Loop() {
			if err := fill(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(len(records)), "ns/record")
	}
	b.Run("source as changelog", func(b *testing.B) {
		spec := planOf(b, t).Subs[0].Stores[0]
		st, err := spec.Open(memory.New(), "app", 0)
		if err != nil {
			b.Fatal(err)
		}
		r, err := state.NewRestorer(st)
		if err != nil {
			b.Fatal(err)
		}
		r.Own = true
		each(b, func() error {
			take := spec.Intake("app", "0_0", 0, task.Policies{})
			for i := range records {
				row, err := take.Take(&records[i])
				if err != nil {
					return err
				}
				if err := r.Apply(row.Key, row.Value, row.Time); err != nil {
					return err
				}
			}
			return r.Write(engine.Position{})
		})
	})
	b.Run("global table", func(b *testing.B) {
		w, err := planOf(b, g).Globals[0].Open(memory.New(), task.GlobalEnv{App: "app"})
		if err != nil {
			b.Fatal(err)
		}
		each(b, func() error { return w.Apply(0, slices.Values(records), engine.Position{}) })
	})
}

func planOf(b *testing.B, t *topology.Builder) *task.Plan {
	built, err := t.Build()
	if err != nil {
		b.Fatal(err)
	}
	return built.Plan()
}

// lookUpAny makes a topology of a builder that has only a global table.
func lookUpAny[V any](b *topology.Builder, g topology.GlobalTable[string, V]) {
	b.From(ask).LeftJoinGlobal(g, func(_, v string) topology.Opt[string] { return topology.Some(v) }, func(_, v string, _ topology.Opt[V]) string { return v }).To(result)
}
