package topology_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
	"github.com/leatstream/leat/pkg/window"
)

// said is a record of the topics that the tests join.
func said(key, value string, ms int64) topology.Record[string, string] {
	return topology.Record[string, string]{Key: key, Value: value, Time: time.UnixMilli(ms)}
}

func joinedSoFar(d *topologytest.Driver) (out []string) {
	for _, r := range d.Take(joinedPairs) {
		out = append(out, fmt.Sprintf("%s@%d", r.Value, r.Time.UnixMilli()))
	}
	return out
}

func TestJoinStoresHaveKafkaStreamsNames(t *testing.T) {
	t.Parallel()
	second := window.Within(time.Second)
	named := pairStores.Named("KSTREAM-JOINTHIS-0000000004-store", "KSTREAM-OUTEROTHER-0000000005-store", "KSTREAM-OUTERSHARED-0000000004-store")
	for _, c := range []struct {
		build func(l, r topology.Stream[string, string])
		want  string
	}{
		{func(l, r topology.Stream[string, string]) { l.Join(r, second, pairStores, pair) }, "j-other-join-store j-this-join-store"},
		{func(l, _ topology.Stream[string, string]) { l.Join(l, second, pairStores, pair) }, "j-this-join-store"},
		{func(l, _ topology.Stream[string, string]) { l.Join(l, second, pairStores.Twice(), pair) }, "j-other-join-store j-this-join-store"},
		{func(l, r topology.Stream[string, string]) { l.LeftJoin(r, second, pairStores, leftPair) }, "j-left-shared-join-store j-outer-other-join-store j-this-join-store"},
		{func(l, r topology.Stream[string, string]) { l.OuterJoin(r, second, pairStores, outerPair) }, "j-outer-other-join-store j-outer-shared-join-store j-outer-this-join-store"},
		{func(l, r topology.Stream[string, string]) { l.LeftJoin(r, second, named, leftPair) }, "KSTREAM-JOINTHIS-0000000004-store KSTREAM-OUTEROTHER-0000000005-store KSTREAM-OUTERSHARED-0000000004-store"},
	} {
		b := topology.New()
		c.build(b.From(lefts), b.From(rights))
		top, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range top.Plan().Subs[0].Stores {
			names = append(names, s.Name)
			if strings.Contains(s.Name, "this-join") && (s.Configs["cleanup.policy"] != "delete" || s.Configs["retention.ms"] != "86402000") {
				t.Errorf("%s: %v", s.Name, s.Configs)
			}
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestJoinMistakes(t *testing.T) {
	t.Parallel()
	rows := store.KeyValue("rows", serde.String, serde.String)
	wait := topology.Grace(2*time.Second, store.Queue("j", serde.String, serde.String))
	for want, build := range map[string]func(*topology.Builder){
		"ends before it begins": func(b *topology.Builder) {
			b.From(lefts).Join(b.From(rights), window.Within(0).Before(-time.Second), pairStores, pair)
		},
		"changed the key": func(b *topology.Builder) {
			moved := b.From(rights).SelectKey(func(r topology.Record[string, string]) string { return r.Value })
			b.From(lefts).Join(moved, window.Within(0), pairStores, pair)
		},
		"two builders": func(b *topology.Builder) {
			b.From(lefts).Join(topology.New().From(rights), window.Within(0), pairStores, pair)
		},
		"keep it in a versioned store": func(b *topology.Builder) {
			b.From(lefts).JoinTable(b.Table(rights, rows), pair, wait)
		},
		"make it as long": func(b *topology.Builder) {
			b.From(lefts).JoinTable(b.Table(rights, rightRows), pair, wait)
		},
		"neither coalesced": func(b *topology.Builder) { b.Table(rights, rightRows, topology.Coalesced()) },
	} {
		b := topology.New()
		build(b)
		if _, err := b.Build(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// The sources of both sides must have as many partitions.
func TestJoinedStreamsAreCopartitioned(t *testing.T) {
	t.Parallel()
	b := topology.New()
	b.From(lefts).MapValues(strings.ToUpper).Join(b.From(rights), window.Within(0), pairStores, pair).To(joinedPairs)
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	sources := top.Plan().Subs[0].Sources
	if len(sources) != 2 || sources[0].Group != sources[1].Group {
		t.Errorf("%+v", sources)
	}
}

// One store does for a join with itself what two do.
func TestSelfJoinOnceIsSelfJoinTwice(t *testing.T) {
	t.Parallel()
	for range 30 {
		seed := rand.Uint64()
		rnd := rand.New(rand.NewPCG(seed, 0))
		ms := func() time.Duration { return time.Duration(rnd.IntN(300)) * time.Millisecond }
		within := window.Within(0).Before(ms()).After(ms()).Grace(ms())
		run := func(st store.JoinStores[string, string, string]) *topologytest.Driver {
			b := topology.New()
			s := b.From(lefts)
			s.Join(s, within, st, pair).To(joinedPairs)
			return topologytest.New(t, b)
		}
		once, twice := run(pairStores), run(pairStores.Twice())
		now := int64(0)
		for i := range 100 {
			now += rnd.Int64N(60)
			r := said("k", fmt.Sprint(i), max(0, now-rnd.Int64N(400)))
			once.Pipe(lefts, r)
			twice.Pipe(lefts, r)
			if a, b := joinedSoFar(once), joinedSoFar(twice); !slices.Equal(a, b) {
				t.Fatalf("seed %d: step %d: once %v, twice %v", seed, i, a, b)
			}
		}
	}
}

// Records of one key and one time are all kept, those from before a restart too.
func TestJoinKeepsEqualRecordsOverRestarts(t *testing.T) {
	t.Parallel()
	for _, local := range []topologytest.Local{topologytest.KeepState, topologytest.LoseState} {
		b := topology.New()
		b.From(lefts).Join(b.From(rights), window.Within(time.Second), pairStores, pair).To(joinedPairs)
		d := topologytest.New(t, b, topologytest.Partitions(2), topologytest.CommitEvery(3))
		for i := range 10 {
			d.Pipe(lefts, said("k", fmt.Sprint(i), 5))
			if i%4 == 1 {
				d.Crash(local)
			} else if i%4 == 3 {
				d.Restart(local)
			}
		}
		d.Pipe(rights, said("k", "r", 6))
		d.Commit()
		want := []string{"0+r@6", "1+r@6", "2+r@6", "3+r@6", "4+r@6", "5+r@6", "6+r@6", "7+r@6", "8+r@6", "9+r@6"}
		if got := joinedSoFar(d); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

// What can find no partner any more leaves nothing behind.
func TestJoinForgets(t *testing.T) {
	t.Parallel()
	b := topology.New()
	b.From(lefts).OuterJoin(b.From(rights), window.Within(time.Second), pairStores, outerPair).To(joinedPairs)
	d := topologytest.New(t, b)
	for i := range int64(3000) {
		d.Pipe(lefts, said(fmt.Sprint("l", i%7), "x", i*1000))
		d.Pipe(rights, said(fmt.Sprint("r", i%7), "x", i*1000))
	}
	for name, most := range map[string]int{"j-outer-this-join-store": 200, "j-outer-other-join-store": 200, "j-outer-shared-join-store": 10} {
		n := 0
		if err := d.OpenStore(name).Range(nil, nil, false, func(_, _ []byte, _ int64) bool { n++; return true }); err != nil {
			t.Fatal(err)
		}
		if n > most {
			t.Errorf("%s holds %d entries", name, n)
		}
	}
}

// A record that fails is neither kept nor joined, nor does it move stream time.
func TestFailedRecordIsNotJoined(t *testing.T) {
	t.Parallel()
	b := topology.New()
	b.From(lefts).OuterJoin(b.From(rights), window.Within(time.Second), pairStores, func(k string, l, r topology.Opt[string]) string {
		if l.Or("") == "bad" {
			panic("bad")
		}
		return outerPair(k, l, r)
	}).To(joinedPairs)
	d := topologytest.New(t, b, topologytest.Failures(topology.Fail, topology.Skip, ""))
	d.Pipe(rights, said("k", "r", 10_000))
	d.Pipe(lefts, said("k", "bad", 10_500)) // its pair fails: r is without a partner still
	d.Pipe(rights, said("k", "s", 11_000))  // and finds none
	d.Pipe(rights, said("z", "z", 30_000))
	if got := joinedSoFar(d); !slices.Equal(got, []string{"null+r@10000", "null+s@11000"}) {
		t.Error(got)
	}
	if n := d.Dropped()["failed"]; n != 1 {
		t.Errorf("%d failed", n)
	}
}

// A left record without a key has no partner, a right one of a left join is dropped.
func TestJoinWithoutKeys(t *testing.T) {
	t.Parallel()
	b := topology.New()
	b.From(lefts).LeftJoin(b.From(rights), window.Within(time.Second), pairStores, leftPair).To(joinedPairs)
	d := topologytest.New(t, b)
	d.Pipe(lefts, topology.Record[string, string]{NullKey: true, Value: "l", Time: time.UnixMilli(1)})
	d.Pipe(rights, topology.Record[string, string]{NullKey: true, Value: "r", Time: time.UnixMilli(1)})
	d.Pipe(lefts, topology.Record[string, string]{Key: "k", NullValue: true, Time: time.UnixMilli(1)})
	if got := joinedSoFar(d); !slices.Equal(got, []string{"l+null@1"}) {
		t.Error(got)
	}
	if got := fmt.Sprint(d.Dropped()); got != "map[null_key:1 null_value:1]" {
		t.Error(got)
	}
}

// A record that waits keeps its headers; one that is late does not wait.
func TestGracedJoin(t *testing.T) {
	t.Parallel()
	b := topology.New()
	wait := topology.Grace(300*time.Millisecond, store.Queue("j", serde.String, serde.String))
	b.From(lefts).LeftJoinTable(b.Table(rights, rightRows), leftPair, wait).To(joinedPairs)
	d := topologytest.New(t, b)
	r := said("k", "a", 1000)
	r.Headers = []topology.Header{{Key: "h", Value: []byte("x")}, {Key: "n"}}
	d.Pipe(lefts, r)
	d.Restart(topologytest.LoseState)
	d.Pipe(rights, said("k", "r", 900))
	d.Pipe(lefts, topology.Record[string, string]{NullKey: true, Value: "none", Time: time.UnixMilli(1)})
	d.Pipe(lefts, said("k", "b", 1300))
	d.Pipe(lefts, said("k", "late", 999))
	out := d.Take(joinedPairs)
	var got []string
	for _, o := range out {
		got = append(got, fmt.Sprintf("%s@%d", o.Value, o.Time.UnixMilli()))
	}
	if !slices.Equal(got, []string{"none+null@1", "a+r@1000", "late+r@999"}) {
		t.Fatal(got)
	}
	if h := out[1].Headers; len(h) != 2 || h[0].Key != "h" || string(h[0].Value) != "x" || h[1].Value != nil {
		t.Errorf("headers %v", h)
	}
}
