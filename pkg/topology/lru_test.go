package topology_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

// An lruTwin is what a bounded store must be, in the most obvious way.
type lruTwin struct {
	most int
	keys []string // that used longest ago first
	rows map[string]string
}

func (w *lruTwin) use(key string) {
	w.keys = append(slices.DeleteFunc(w.keys, func(k string) bool { return k == key }), key)
}

// do does what a record says: its key, and a value, "?" to read it, or null to delete it.
func (w *lruTwin) do(key, value string) string {
	old, ok := w.rows[key]
	switch {
	case value == "?" && !ok:
	case value == "?":
		w.use(key)
	case value == "":
		delete(w.rows, key)
		w.keys = slices.DeleteFunc(w.keys, func(k string) bool { return k == key })
	default:
		w.use(key)
		if w.rows[key] = value; len(w.keys) > w.most {
			delete(w.rows, w.keys[0])
			w.keys = w.keys[1:]
		}
	}
	return old
}

// lruStore runs a processor that does to an LRU store what records say, and emits what
// it has read. A value of "!" writes and fails.
func lruStore(most int) *topology.Builder {
	rows := store.LRU("rows", most, serde.String, serde.String)
	b := topology.New()
	b.From(letters).Process("lru", func(c *textContext) (textHandler, error) {
		kept := rows.Open(c)
		return func(r textRecord) error {
			var old string
			var err error
			switch r.Value {
			case "?":
				old, _, err = kept.Get(r.Key)
			case "!":
				if err = kept.Put(r.Key, "lost"); err == nil {
					err = fmt.Errorf("refused")
				}
			case "":
				old, _, _ = rows.Reader(c).Get(r.Key)
				err = kept.Delete(r.Key)
			default:
				old, _, _ = rows.Reader(c).Get(r.Key)
				err = kept.Put(r.Key, r.Value)
			}
			if err != nil {
				return err
			}
			r.Value = old
			return c.Emit(r)
		}, nil
	}, rows).To(result)
	return b
}

// A bounded store has what was used last, in spite of crashes, restarts and records that
// are skipped, and its changelog has it too.
func TestLRUAgainstTwin(t *testing.T) {
	t.Parallel()
	for range 40 {
		playLRU(t, rand.Uint64())
	}
}

func playLRU(t *testing.T, seed uint64) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 0))
	most := 1 + rnd.IntN(5)
	w := &lruTwin{most: most, rows: map[string]string{}}
	d := topologytest.New(t, lruStore(most), topologytest.CommitEvery(1+rnd.IntN(6)), topologytest.Failures(topology.Fail, topology.Skip, ""))
	var want []string
	for i := range 200 {
		key, value := fmt.Sprint("k", rnd.IntN(8)), fmt.Sprint("v", i)
		switch rnd.IntN(10) {
		case 0:
			value = ""
		case 1:
			value = "!"
		case 2, 3, 4:
			value = "?"
		}
		if value != "!" {
			want = append(want, key+"="+w.do(key, value))
		}
		d.Send(letters, key, value)
		switch rnd.IntN(30) {
		case 0:
			d.Restart(topologytest.Local(rnd.IntN(3)))
		case 1:
			d.Crash(topologytest.Local(rnd.IntN(3)))
		}
	}
	d.Commit()
	if got := pairs(d.Take(result)); !slices.Equal(got, want) {
		t.Fatalf("seed %d: %d entries\ngot  %v\nwant %v", seed, most, got, want)
	}
	logged := map[string]string{}
	for _, r := range d.Take(topology.NewTopic("test-rows-changelog", serde.String, serde.String)) {
		if logged[r.Key] = r.Value; r.NullValue {
			delete(logged, r.Key)
		}
	}
	if fmt.Sprint(logged) != fmt.Sprint(w.rows) {
		t.Fatalf("seed %d: the changelog has %v, want %v", seed, logged, w.rows)
	}
	var all []string
	for e, err := range store.LRU("rows", most, serde.String, serde.String).Open(d).All() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Key+"="+e.Value)
	}
	if slices.Sort(w.keys); len(all) != len(w.keys) || !slices.IsSorted(all) {
		t.Fatalf("seed %d: the store has %v, want %v", seed, all, w.keys)
	}
}

// A table may be bounded. What it forgets nobody is told, and what comes again is new.
func TestLRUTable(t *testing.T) {
	t.Parallel()
	b := topology.New()
	b.Coalesce()
	b.From(letters).Count(store.LRU("n", 2, serde.String, serde.Int64)).Stream().MapValues(func(n int64) string { return fmt.Sprint(n) }).To(result)
	d := topologytest.New(t, b)
	got := steps(d, "letters a=x", "letters b=x", "letters a=x", "letters c=x", "letters a=x", "letters b=x")
	expect(t, got, "a=1", "b=1", "a=2", "c=1", "a=3", "b=1")
	// One that is to have fewer entries now forgets the others with its next one.
	b = topology.New()
	b.From(letters).Count(store.LRU("n", 1, serde.String, serde.Int64)).Stream().MapValues(func(n int64) string { return fmt.Sprint(n) }).To(result)
	d.Upgrade(b, topologytest.LoseState)
	expect(t, steps(d, "letters d=x", "letters d=x", "letters b=x"), "d=1", "d=2", "b=1")
}

func TestLRUMistakes(t *testing.T) {
	t.Parallel()
	rows := store.LRU("rows", 1, serde.String, serde.String)
	for want, build := range map[string]func(b *topology.Builder){
		"let it keep 1 or more":       func(b *topology.Builder) { b.Table(letters, store.LRU("rows", 0, serde.String, serde.String)) },
		"leave SourceAsChangelog out": func(b *topology.Builder) { b.Table(letters, rows, topology.SourceAsChangelog()) },
		"a global table is whole":     func(b *topology.Builder) { b.GlobalTable(letters, rows) },
	} {
		b := topology.New()
		b.From(digits)
		build(b)
		if _, err := b.Build(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}
