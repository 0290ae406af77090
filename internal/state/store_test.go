package state

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
)

var ns = engine.Namespace{Store: "s", Partition: 3}

// A twin is what a Store must be, in the most obvious way.
type twin struct{ current, committed, marked map[string]cell }

type cell struct {
	value string
	time  int64
}

func (w *twin) set(k string, c cell) { w.current[k] = c }

func open(t testing.TB, eng engine.Engine) *Store {
	t.Helper()
	s, err := Open(eng, ns, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func flush(t testing.TB, s *Store) {
	t.Helper()
	var b engine.Batch
	s.Flush(&b)
	if err := s.eng.Write(&b); err != nil {
		t.Fatal(err)
	}
	s.Flushed()
}

func TestAgainstTwin(t *testing.T) {
	t.Parallel()
	for range 200 {
		seed := rand.Uint64()
		if !playHistory(t, seed) {
			t.Fatalf("seed %d", seed)
		}
	}
}

// playHistory does random things to a store and to its twin.
func playHistory(t *testing.T, seed uint64) bool {
	rnd := rand.New(rand.NewPCG(seed, 1))
	eng := memory.New()
	s := open(t, eng)
	w := &twin{current: map[string]cell{}, committed: map[string]cell{}}
	key := func() string { return fmt.Sprint("k", rnd.IntN(30)) }
	for step := range 400 {
		switch p := rnd.IntN(100); {
		case p < 40:
			k, c := key(), cell{fmt.Sprint(step)[:rnd.IntN(2)], int64(step)}
			s.Put([]byte(k), []byte(c.value), c.time)
			w.set(k, c)
		case p < 50:
			k := key()
			s.Delete([]byte(k), int64(step))
			delete(w.current, k)
		case p < 52:
			k := key()
			if _, there := w.current[k]; !there {
				s.Absent([]byte(k))
			}
		case p < 55:
			s.Mark()
			w.marked = maps.Clone(w.current)
		case p < 60 && w.marked != nil:
			s.Undo()
			w.current, w.marked = w.marked, nil
		case p < 65 && w.marked == nil:
			s.Commit()
			w.committed = maps.Clone(w.current)
		case p < 70:
			s.Rollback()
			w.current, w.marked = maps.Clone(w.committed), nil
		case p < 73 && !s.Dirty():
			flush(t, s)
		case p < 74 && rnd.IntN(2) == 0:
			s.Evict(int64(rnd.IntN(2000)))
		case p < 77: // as if there were many
			s.packed.limit(1 << 20)
			s.shed(0)
		case p < 79 && !s.Dirty(): // another process
			flush(t, s)
			s = open(t, eng)
		case p < 80 && !s.Dirty() && w.marked == nil: // another process had the store meanwhile
			k, c := key(), cell{"restored", int64(step)}
			restoreOne(t, s, k, c)
			w.set(k, c)
			w.committed = maps.Clone(w.current)
		case p < 90:
			if !same(t, s, w, rnd, key()) {
				return false
			}
		default:
			if !sameRange(t, s, w, rnd) {
				return false
			}
		}
		if w.marked != nil && !s.marked {
			w.marked = nil
		}
	}
	return true
}

func restoreOne(t *testing.T, s *Store, k string, c cell) {
	r, err := NewRestorer(s)
	if err != nil {
		t.Fatal(err)
	}
	r.Set([]byte(k), []byte(c.value), c.time)
	if err := r.Write(engine.Position{}); err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, s *Store, w *twin, _ *rand.Rand, k string) bool {
	v, at, ok, err := s.Get([]byte(k))
	want, wantOK := w.current[k]
	if err != nil || ok != wantOK || ok && (string(v) != want.value || at != want.time) {
		t.Errorf("Get(%s) = %q, %d, %v, %v; want %v, %v", k, v, at, ok, err, want, wantOK)
		return false
	}
	return true
}

func sameRange(t *testing.T, s *Store, w *twin, rnd *rand.Rand) bool {
	bound := func() []byte {
		if rnd.IntN(3) == 0 {
			return nil
		}
		return fmt.Append(nil, "k", rnd.IntN(30))
	}
	lo, hi, reverse := bound(), bound(), rnd.IntN(2) == 0
	var want, got []string
	for _, k := range slices.Sorted(maps.Keys(w.current)) {
		if (lo == nil || k >= string(lo)) && (hi == nil || k < string(hi)) {
			want = append(want, k+"="+w.current[k].value)
		}
	}
	if reverse {
		slices.Reverse(want)
	}
	err := s.Range(lo, hi, reverse, func(k, v []byte, _ int64) bool {
		got = append(got, string(k)+"="+string(v))
		return true
	})
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("Range(%q, %q, %v) = %v, %v; want %v", lo, hi, reverse, got, err, want)
		return false
	}
	return true
}

func TestWritesDuringRange(t *testing.T) {
	t.Parallel()
	for _, inEngine := range []bool{true, false} {
		s := open(t, memory.New())
		for _, k := range []string{"a", "b", "c", "e"} {
			s.Put([]byte(k), []byte("1"), 1)
		}
		s.Commit()
		if inEngine {
			flush(t, s)
		}
		var got []string
		err := s.Range(nil, nil, false, func(k, _ []byte, _ int64) bool {
			got = append(got, string(k))
			s.Delete(k, 2)             // the one in hand
			s.Delete([]byte("c"), 2)   // one ahead
			s.Put([]byte("d"), nil, 2) // a new one ahead
			return true
		})
		if err != nil || !slices.Equal(got, []string{"a", "b", "d", "e"}) {
			t.Errorf("in engine %v: %v, %v", inEngine, got, err)
		}
	}
}

func TestChangesAndOldValues(t *testing.T) {
	t.Parallel()
	s := open(t, memory.New())
	s.Put([]byte("a"), []byte("1"), 1)
	s.Put([]byte("empty"), []byte{}, 1)
	s.Commit()
	if _, _, _, err := s.Get([]byte("b")); err != nil {
		t.Fatal(err)
	}
	s.Put([]byte("b"), []byte("9"), 5)
	s.Put([]byte("a"), []byte("2"), 2)
	s.Put([]byte("a"), []byte("3"), 3)
	s.Delete([]byte("empty"), 4)
	var got []string
	_ = s.Changes(func(c Change) error {
		got = append(got, fmt.Sprintf("%s %s@%d nil=%v old=%s nil=%v", c.Key, c.Value, c.Time, c.Value == nil, c.Old, c.Old == nil))
		return nil
	})
	want := []string{"b 9@5 nil=false old= nil=true", "a 3@3 nil=false old=1 nil=false", "empty @4 nil=true old= nil=false"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// A value given to a producer must not change under it: not when the transaction
// is rolled back, nor by the record that is redone after it.
func TestRollbackLeavesSentBytesAlone(t *testing.T) {
	t.Parallel()
	s := open(t, memory.New())
	s.Put([]byte("a"), []byte("committed"), 1)
	s.Commit()
	s.Put([]byte("a"), []byte("sent-data"), 2)
	var sent []byte
	_ = s.Changes(func(c Change) error { sent = c.Value; return nil })
	s.Rollback()
	for range 3 {
		s.Put([]byte("a"), []byte("redone---"), 3)
		s.Commit()
	}
	if string(sent) != "sent-data" {
		t.Errorf("the producer now sends %q", sent)
	}
}

func TestRestorer(t *testing.T) {
	t.Parallel()
	eng := memory.New()
	s := open(t, eng)
	s.Put([]byte("pending"), []byte("1"), 1)
	s.Commit()
	s.SetPosition(engine.Position{Offset: 1})
	r, err := NewRestorer(s)
	if err != nil {
		t.Fatal(err)
	}
	r.Apply([]byte("a"), []byte("x"), 10)
	r.Apply([]byte("pending"), nil, 11)
	r.Apply([]byte("e"), []byte{}, 12)
	if err := r.Write(engine.Position{Offset: 4}); err != nil {
		t.Fatal(err)
	}
	s = open(t, eng)
	if p, ok := s.Position(); !ok || p.Offset != 4 {
		t.Errorf("position %v, %v", p, ok)
	}
	var got []byte
	_ = s.Range(nil, nil, false, func(k, v []byte, at int64) bool {
		got = fmt.Appendf(got, "%s=%s@%d ", k, v, at)
		return true
	})
	if !bytes.Equal(got, []byte("a=x@10 e=@12 ")) {
		t.Errorf("restored %q", got)
	}
}

func TestUpdateDoesNotAllocate(t *testing.T) {
	s := open(t, memory.New())
	key, value := []byte("some-key"), make([]byte, 8)
	cycle := func() {
		for range 10 {
			if _, _, _, err := s.Get(key); err != nil {
				t.Fatal(err)
			}
			s.Put(key, value, 1)
		}
		s.Commit()
	}
	cycle()
	cycle()
	if n := testing.AllocsPerRun(100, cycle); n > 0 {
		t.Errorf("%v allocations per commit of 10 updates", n)
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, keys := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			s := open(b, memory.New())
			names := make([][]byte, keys)
			for i := range names {
				names[i] = fmt.Appendf(nil, "k%07d", i)
			}
			value := make([]byte, 8)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				k := names[i*7919%keys]
				if _, _, _, err := s.Get(k); err != nil {
					b.Fatal(err)
				}
				s.Put(k, value, 1)
				if i++; i%10_000 == 0 {
					s.Commit()
				}
			}
		})
	}
}

// What came and went between two commits costs nothing from then on: no step of a
// range, no memory, nothing to write.
func TestCameAndWent(t *testing.T) {
	t.Parallel()
	s := open(t, memory.New())
	for i := range 100 {
		key := fmt.Append(nil, "k", i)
		s.Absent(key)
		s.Put(key, []byte("v"), 1)
		if n := sizeOf(t, s); n != 1 {
			t.Fatalf("the range shows %d entries", n)
		}
		s.Delete(key, 2)
	}
	if n := sizeOf(t, s); n != 0 || s.index.Len() != 0 {
		t.Errorf("the range shows %d entries, and passes %d", n, s.index.Len())
	}
	s.Commit()
	if _, any := s.Behind(); any || s.Bytes() != 0 || s.entries.len() != 0 {
		t.Errorf("there is something for the engine: %v; %d bytes, %d entries", any, s.Bytes(), s.entries.len())
	}
	s.Put([]byte("k"), []byte("v"), 3) // the engine may have it, for all that is known
	s.Delete([]byte("k"), 4)
	s.Commit()
	if _, any := s.Behind(); !any {
		t.Error("a deletion that may matter is not written")
	}
}

func sizeOf(t *testing.T, s *Store) (n int) {
	t.Helper()
	if err := s.Range(nil, nil, false, func([]byte, []byte, int64) bool { n++; return true }); err != nil {
		t.Fatal(err)
	}
	return n
}

// A store that is ranged over while nothing differs from its engine does not keep order of what is written afterwards; one
// that is ranged over later does, until its engine has all.
func TestIndexIsKeptWhileNeeded(t *testing.T) {
	t.Parallel()
	s := open(t, memory.New())
	sizeOf(t, s)
	s.Put([]byte("a"), nil, 1)
	if s.indexing {
		t.Error("order is kept for nobody")
	}
	if n := sizeOf(t, s); n != 1 || !s.indexing {
		t.Errorf("the range shows %d entries; order is kept: %v", n, s.indexing)
	}
	s.Put([]byte("b"), nil, 1)
	if n := sizeOf(t, s); n != 2 {
		t.Errorf("the range shows %d entries", n)
	}
	s.Commit()
	flush(t, s)
	s.Put([]byte("c"), nil, 1)
	if n := s.index.Len(); n != 0 || s.indexing {
		t.Errorf("order is kept of %d entries", n)
	}
	if n := sizeOf(t, s); n != 3 {
		t.Errorf("the range shows %d entries", n)
	}
}
