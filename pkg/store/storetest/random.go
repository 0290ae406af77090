package storetest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/leatstream/leat/internal/engine"
)

// twin does the same random things to the engine and to plain maps, and
// compares what they hold. STORETEST_SEED repeats a run.
func twin(t *testing.T, s subject) {
	seed := rand.Uint64()
	if v, err := strconv.ParseUint(os.Getenv("STORETEST_SEED"), 10, 64); err == nil {
		seed = v
	}
	t.Logf("STORETEST_SEED=%d", seed)
	g := &gambler{subject: s, rng: rand.New(rand.NewPCG(seed, 0)), model: map[engine.Namespace]*contents{}}
	for step := 0; step < 400 && !t.Failed(); step++ {
		g.step()
	}
	for _, w := range g.watched {
		w.check(s)
	}
}

// contents is what one namespace should hold.
type contents struct {
	entries  map[string]string
	position engine.Position
	placed   bool
}

// A gambler is an engine, what it should hold, and dice.
type gambler struct {
	subject
	rng     *rand.Rand
	model   map[engine.Namespace]*contents
	watched []watched
}

// A watched is an iterator, opened some time ago, and what it should see.
type watched struct {
	it   engine.Iterator
	want []string
}

func (w watched) check(s subject) {
	if got := s.collect(w.it); !slices.Equal(got, w.want) {
		s.t.Errorf("an old iterator sees %v, want %v", got, w.want)
	}
}

func (g *gambler) step() {
	switch n := g.rng.IntN(20); {
	case n < 8:
		g.batch()
	case n < 12:
		ns, key := g.namespace(), g.key()
		want := "-"
		if v, ok := g.at(ns).entries[key]; ok {
			want = fmt.Sprintf("%q", v)
		}
		g.wantGet(ns, key, want)
	case n < 17:
		g.rangeOver()
	case n < 18:
		ns := g.namespace()
		g.wantPosition(ns, g.at(ns).position, g.at(ns).placed)
	case n < 19:
		g.wantNamespaces(g.placed()...)
	default:
		ns := g.namespace()
		if err := g.Drop(ns); err != nil {
			g.t.Fatal(err)
		}
		delete(g.model, ns)
	}
}

// batch writes changes, to the model at once, and to the engine from buffers that are
// overwritten right after. Half of the batches are as stores make them: each
// namespace's changes in a row, sometimes many.
func (g *gambler) batch() {
	var b engine.Batch
	if g.rng.IntN(2) == 0 {
		g.change(&b, g.namespace, g.rng.IntN(40), 10)
	} else {
		for _, ns := range g.someNamespaces() {
			g.change(&b, func() engine.Namespace { return ns }, g.rng.IntN(600), 10_000)
		}
	}
	b.Loose = g.rng.IntN(2) == 0
	if err := g.Write(&b); err != nil {
		g.t.Fatal(err)
	}
	for _, op := range b.Ops {
		fillBytes(op.Key, '!')
		fillBytes(op.Value, '!')
	}
}

// change adds n changes to b. One in kinds of them is a DeleteBelow.
func (g *gambler) change(b *engine.Batch, namespace func() engine.Namespace, n, kinds int) {
	for range n {
		ns, key := namespace(), g.key()
		if g.rng.IntN(kinds) == 0 {
			b.DeleteBelow(ns, []byte(key))
			maps.DeleteFunc(g.at(ns).entries, func(k, _ string) bool { return k < key })
			continue
		}
		switch g.rng.IntN(10) {
		case 0:
			p := position(g.rng.Int64())
			b.SetPosition(ns, p)
			g.at(ns).position, g.at(ns).placed = p, true
		case 1, 2:
			b.Delete(ns, []byte(key))
			delete(g.at(ns).entries, key)
		default:
			value := fmt.Sprint(g.rng.IntN(1000))[:g.rng.IntN(2)]
			b.Set(ns, []byte(key), []byte(value))
			g.at(ns).entries[key] = value
		}
	}
}

func fillBytes(b []byte, c byte) {
	for i := range b {
		b[i] = c
	}
}

// rangeOver opens an iterator and compares what it sees, at once or later.
func (g *gambler) rangeOver() {
	ns, reverse := g.namespace(), g.rng.IntN(2) == 0
	lo, hi := g.bound(), g.bound()
	w := watched{g.iterate(ns, lo, hi, reverse), g.at(ns).between(lo, hi, reverse)}
	if g.rng.IntN(4) > 0 {
		w.check(g.subject)
	} else if g.watched = append(g.watched, w); len(g.watched) > 3 {
		g.watched[0].check(g.subject)
		g.watched = g.watched[1:]
	}
}

func (c *contents) between(lo, hi []byte, reverse bool) (entries []string) {
	for _, key := range slices.Sorted(maps.Keys(c.entries)) {
		if key >= string(lo) && (hi == nil || key < string(hi)) {
			entries = append(entries, entry(key, c.entries[key]))
		}
	}
	if reverse {
		slices.Reverse(entries)
	}
	return entries
}

func (g *gambler) at(ns engine.Namespace) *contents {
	if g.model[ns] == nil {
		g.model[ns] = &contents{entries: map[string]string{}}
	}
	return g.model[ns]
}

// placed returns the namespaces with a position, in order.
func (g *gambler) placed() (list []engine.Namespace) {
	for _, store := range []string{"a", "aa"} {
		for _, partition := range []int32{0, 1, 256} {
			ns := engine.Namespace{Store: store, Partition: partition}
			if g.at(ns).placed {
				list = append(list, ns)
			}
		}
	}
	return list
}

func (g *gambler) namespace() engine.Namespace {
	return engine.Namespace{
		Store:     []string{"a", "aa"}[g.rng.IntN(2)],
		Partition: []int32{0, 1, 256}[g.rng.IntN(3)],
	}
}

// someNamespaces returns up to three, each once.
func (g *gambler) someNamespaces() (some []engine.Namespace) {
	for range 1 + g.rng.IntN(3) {
		if ns := g.namespace(); !slices.Contains(some, ns) {
			some = append(some, ns)
		}
	}
	return some
}

// key returns one of few keys, so that they meet often.
func (g *gambler) key() string {
	key := ""
	for range g.rng.IntN(4) {
		key += []string{"\x00", "\x01", "a", "b", "\xff"}[g.rng.IntN(5)]
	}
	return key
}

func (g *gambler) bound() []byte {
	if g.rng.IntN(4) == 0 {
		return nil
	}
	return []byte(g.key())
}
