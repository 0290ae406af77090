package state

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
)

func TestFilter(t *testing.T) {
	t.Parallel()
	var f filter
	const keys = 100_000
	key := func(n uint64) uint64 { return hash(binary.BigEndian.AppendUint64(nil, n)) }
	for n := range uint64(keys) {
		f.add(key(n))
		f.add(key(n / 2)) // takes no room
	}
	wrong := 0
	for n := range uint64(keys) {
		if !f.has(key(n)) {
			t.Fatalf("%d was added and is not there", n)
		}
		if f.has(key(keys + n)) {
			wrong++
		}
	}
	if wrong > keys/33 {
		t.Errorf("%d of %d keys that were not added seem to be there", wrong, keys)
	}
	if most := int64(keys * 6); f.bytes > most {
		t.Errorf("%d bytes for %d keys", f.bytes, keys)
	}
}

// A reading engine counts how often it is asked for a key.
type reading struct {
	engine.Engine
	gets int
}

func (e *reading) Get(ns engine.Namespace, key, dst []byte) ([]byte, bool, error) {
	e.gets++
	return e.Engine.Get(ns, key, dst)
}

func numbered(n int) []byte { return fmt.Append(nil, "k", n) }

func fill(t *testing.T, s *Store, from, to int) {
	for n := from; n < to; n++ {
		s.Put(numbered(n), []byte("v"), int64(n))
	}
	s.Commit()
	flush(t, s)
}

// expect reads keys, and says how often that may ask the engine.
func expect(t *testing.T, s *Store, from, to int, there bool, most int) {
	t.Helper()
	e := s.eng.(*reading)
	e.gets = 0
	for n := from; n < to; n++ {
		if _, at, ok, err := s.Get(numbered(n)); err != nil || ok != there || ok && at != int64(n) {
			t.Fatalf("key %d: at %d, %v, %v", n, at, ok, err)
		}
	}
	if e.gets > most {
		t.Errorf("keys %d to %d, there: %v: the engine was asked %d times, not %d", from, to, there, e.gets, most)
	}
}

// A store that began empty asks its engine neither for keys that were never written nor
// for values that it has packed.
func TestEngineIsNotAskedInVain(t *testing.T) {
	t.Parallel()
	s := open(t, &reading{Engine: memory.New()})
	expect(t, s, 0, 10_000, false, 0)
	fill(t, s, 0, 10_000)
	s.Evict(1 << 20)
	if s.Bytes() > 1<<20 || s.entries.len() > 8000 {
		t.Errorf("%d bytes, %d entries", s.Bytes(), s.entries.len())
	}
	expect(t, s, 0, 10_000, true, 500) // a full bucket forgets one
	expect(t, s, 10_000, 20_000, false, 300)
	s.Evict(0)
	if s.Bytes() != 0 {
		t.Errorf("%d bytes are left", s.Bytes())
	}
	expect(t, s, 0, 10_000, true, 10_000)
}

// What came and went is not found where an older value was packed.
func TestPackedCameAndWent(t *testing.T) {
	t.Parallel()
	s := open(t, &reading{Engine: memory.New()})
	fill(t, s, 0, 1)
	s.packed.limit(1 << 20)
	s.shed(0)
	expect(t, s, 0, 1, true, 0)
	s.Delete(numbered(0), 1)
	s.Commit()
	flush(t, s)
	s.Put(numbered(0), []byte("v"), 2)
	s.Delete(numbered(0), 2)
	s.Commit()
	expect(t, s, 0, 1, false, 1)
}

// What has expired is not found where it was packed.
func TestPackedExpires(t *testing.T) {
	t.Parallel()
	s := open(t, &reading{Engine: memory.New()})
	key := func(segment uint64) []byte { return binary.BigEndian.AppendUint64(nil, segment) }
	for segment := range uint64(4) {
		s.Put(key(segment), []byte("v"), 1)
	}
	s.Commit()
	flush(t, s)
	s.packed.limit(1 << 20)
	s.shed(0)
	s.expireBelow(2)
	s.Commit()
	flush(t, s)
	for segment := range uint64(4) {
		if _, _, ok, err := s.Get(key(segment)); err != nil || ok != (segment >= 2) {
			t.Errorf("segment %d: %v, %v", segment, ok, err)
		}
	}
}

// The keys of a store that was opened with some are met by and by, and those that are
// flushed meanwhile count too.
func TestCensusOfWhatIsThere(t *testing.T) {
	t.Parallel()
	eng := &reading{Engine: memory.New()}
	fill(t, open(t, eng), 0, 10_000)
	s := open(t, eng)
	expect(t, s, 0, 5_000, true, 5000)
	if s.census.complete {
		t.Fatal("the census is complete")
	}
	fill(t, s, 10_000, 12_000)
	s.Evict(0)
	s.census = newCensus()
	expect(t, s, 20_000, 40_000, false, 13_000)
	if !s.census.complete {
		t.Fatal("the census is not complete")
	}
	expect(t, s, 40_000, 50_000, false, 300)
	expect(t, s, 0, 12_000, true, 12_000)
}

// A census that outgrows its share begins anew if deletions may be why, and ends if not.
func TestCensusIsBounded(t *testing.T) {
	t.Parallel()
	s := open(t, &reading{Engine: memory.New()})
	expect(t, s, 0, 1, false, 0)
	s.census.limit(30_000)
	for round := range 10 {
		from := 100_000 * round
		fill(t, s, from, from+5000)
		for n := from; n < from+5000; n++ {
			s.Delete(numbered(n), 1)
		}
		s.Commit()
		flush(t, s)
		s.shed(0)
		expect(t, s, from, from+5000, false, 5000)
		if s.census.off || s.census.filter.bytes > 30_000 {
			t.Fatalf("round %d: %+v", round, s.census)
		}
	}
	fill(t, s, 0, 50_000)
	if !s.census.off || s.census.filter.bytes > 0 {
		t.Errorf("of too many keys a census goes on: %d bytes", s.census.filter.bytes)
	}
	expect(t, s, 0, 50_000, true, 50_000)
	expect(t, s, 50_000, 60_000, false, 10_000)
}
