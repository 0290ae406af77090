package state

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/leatstream/leat/internal/engine/memory"
)

// A table holds what a map would, however many of its hashes begin or end alike.
func TestTable(t *testing.T) {
	t.Parallel()
	for name, squeeze := range map[string]func(uint64) uint64{
		"as they are": func(h uint64) uint64 { return h },
		"few places":  func(h uint64) uint64 { return h &^ (0xffff << 36) },
		"few leaves":  func(h uint64) uint64 { return h &^ 0xf0 },
		"uneven leaves": func(h uint64) uint64 {
			if h>>60 < 12 {
				return h | 1
			}
			return h &^ 1
		},
		"the same twice": func(h uint64) uint64 { return h % 5000 * 0x9e3779b97f4a7c15 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(1, 2))
			var tab table
			model := map[uint64]*entry{}
			key := func(n uint64) []byte { return fmt.Append(nil, n) }
			place := func(n uint64) uint64 { return squeeze(hash(key(n))) }
			for range 200_000 {
				n := rnd.Uint64N(20_000)
				e := tab.get(place(n), key(n))
				switch {
				case e != model[n]:
					t.Fatalf("%d: %v, not %v", n, e, model[n])
				case e == nil:
					model[n] = newEntry(key(n))
					tab.add(place(n), model[n])
				case rnd.IntN(2) == 0:
					delete(model, n)
					tab.remove(place(n), e)
				}
			}
			if tab.len() != len(model) {
				t.Errorf("%d entries, not %d", tab.len(), len(model))
			}
			seen := map[*entry]int{}
			tab.sweep(func(e *entry) bool { seen[e]++; return true })
			for n, e := range model {
				if seen[e] != 1 {
					t.Fatalf("a sweep has come to %d %d times", n, seen[e])
				}
			}
			// one sweep after the other, each a few steps long, that remove what they come to
			for rounds := 0; tab.len() > 0; rounds++ {
				steps := 0
				tab.sweep(func(e *entry) bool {
					h := squeeze(hash(e.key))
					if tab.get(h, e.key) != e {
						t.Fatalf("%s cannot be found", e.key)
					}
					tab.remove(h, e)
					steps++
					return steps < 500
				})
				if rounds > len(model) {
					t.Fatalf("%d entries cannot be removed", tab.len())
				}
			}
		})
	}
}

// To look ahead changes nothing, whatever keys are to come, and allocates nothing.
func TestTouch(t *testing.T) {
	for _, around := range [][2]string{{}, {"segment", "window"}} {
		s := open(t, memory.New())
		name := func(n int) []byte { return fmt.Append(nil, around[0], n, around[1]) }
		var next [Ahead][]byte
		for i := range next {
			next[i] = fmt.Append(nil, 3*i)
		}
		next[5], next[6] = nil, []byte{}
		s.Touch([]byte("1"), &next) // of an empty store
		for n := range 2 * leastAhead {
			s.Put(name(n), fmt.Append(nil, n), int64(n))
		}
		s.Delete(name(3), 3)
		s.Put(name(1), []byte("1"), 1)
		for _, last := range []string{"1", "2", "", "segment1window"} {
			if n := testing.AllocsPerRun(10, func() { s.Touch([]byte(last), &next) }); n > 0 {
				t.Errorf("%v allocations", n)
			}
		}
		for n := range 2 * leastAhead {
			value, at, ok, err := s.Get(name(n))
			if n == 3 && !ok {
				continue
			}
			if err != nil || !ok || string(value) != fmt.Sprint(n) || at != int64(n) {
				t.Fatalf("%d: %q at %d, %v, %v", n, value, at, ok, err)
			}
		}
	}
}

// BenchmarkTouch reads keys at random, of a store that the CPU's caches cannot hold, as they
// come and looking ahead.
func BenchmarkTouch(b *testing.B) {
	const keys = 1_000_000
	s := open(b, memory.New())
	names := make([][]byte, keys)
	for i := range names {
		names[i] = fmt.Appendf(nil, "k%07d", i)
		s.Put(names[i], make([]byte, 8), 1)
	}
	s.Commit()
	rand.New(rand.NewPCG(1, 2)).Shuffle(keys, func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, ahead := range []bool{false, true} {
		b.Run(fmt.Sprintf("ahead=%t", ahead), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if ahead && i%Ahead == 0 && i > 0 {
					s.Touch(names[i-1], (*[Ahead][]byte)(names[i:]))
				}
				if _, _, ok, _ := s.Get(names[i]); !ok {
					b.Fatal("lost")
				}
				if i++; i == keys/Ahead*Ahead {
					i = 0
				}
			}
		})
	}
}
