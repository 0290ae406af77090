package state

import (
	"math/rand/v2"
	"testing"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
)

// Spans are as a set of all their segments.
func TestSpans(t *testing.T) {
	t.Parallel()
	const top = 40
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		var s spans
		set := [top + 1]bool{}
		for range 30 {
			first := rnd.Int64N(top)
			last := min(top-1, first+rnd.Int64N(4)/2)
			if rnd.IntN(6) > 0 {
				s.add(first, last)
				for seg := first; seg <= last; seg++ {
					set[seg] = true
				}
			} else {
				s.drop(first / 3)
				clear(set[:first/3])
			}
			compareSpans(t, s, set[:])
		}
		if t.Failed() {
			t.Fatalf("seed %d: %v of %v", seed, s, set)
		}
	}
}

func compareSpans(t *testing.T, s spans, set []bool) {
	t.Helper()
	for i, a := range s {
		if a.first > a.last || i > 0 && s[i-1].last+1 >= a.first {
			t.Errorf("spans %v", s)
		}
	}
	for seg := range int64(len(set)) {
		next, before := seg, seg
		for next < int64(len(set)) && !set[next] {
			next++
		}
		for before >= 0 && !set[before] {
			before--
		}
		if got, ok := s.from(seg); ok != (next < int64(len(set))) || ok && got != next {
			t.Errorf("from %d: %d, %v", seg, got, ok)
		}
		if got, ok := s.upTo(seg); ok != (before >= 0) || ok && got != before {
			t.Errorf("up to %d: %d, %v", seg, got, ok)
		}
	}
}

// Before anything has been committed nothing has expired for who is told late, since 1970;
// and after a pause of years nothing since that. Of the segments in between, which never
// were, none is looked into: each would cost the memory of an entry.
func TestVersionsAreLookedForWhereTheyAre(t *testing.T) {
	t.Parallel()
	const day = 24 * 60 * 60 * 1000
	const now, later = 20_000 * day, 25_000 * day
	s, err := Open(memory.New(), engine.Namespace{Store: "rows"}, NewVersions(day))
	if err != nil {
		t.Fatal(err)
	}
	s.Linger()
	put := func(key, value string, at int64) {
		t.Helper()
		var v []byte
		if value != "" {
			v = []byte(value)
		}
		if _, ok, err := s.PutVersion([]byte(key), v, at); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	late := func(want string) {
		t.Helper()
		s.KeepExpired(true)
		defer s.KeepExpired(false)
		if err := s.EachVersion([]byte("none"), func([]byte, int64, int64) bool { return true }); err != nil {
			t.Fatal(err)
		}
		if got := versionsOf(t, s, now); got != want {
			t.Errorf("who is told late sees %s, want %s", got, want)
		}
	}
	put("k", "first", 5) // of 1970, as some clocks are
	put("other", "x", now)
	put("k", "second", now+1)
	late("second from 1, first from -1727999999995")
	s.Commit()
	put("k", "", now+2)
	s.Commit()
	put("other", "y", later)
	late(" from 2, second from 1, first from -1727999999995")
	put("k", "third", later+1)
	late("third from 432000000001,  from 2, second from 1, first from -1727999999995")
	if b := s.Bytes(); b > 64<<10 {
		t.Errorf("it takes %d KiB", b>>10)
	}
}

// What was not expired at the last commit stays until the next, for who is told late, and
// for nobody else.
func TestVersionsLinger(t *testing.T) {
	t.Parallel()
	for _, lingers := range []bool{false, true} {
		s, err := Open(memory.New(), engine.Namespace{Store: "rows"}, NewVersions(100))
		if err != nil {
			t.Fatal(err)
		}
		if lingers {
			s.Linger()
		}
		if _, _, err := s.PutVersion([]byte("k"), []byte("first"), 0); err != nil {
			t.Fatal(err)
		}
		s.Commit()
		for _, v := range []version{{[]byte("k"), []byte("second"), 50}, {[]byte("far"), nil, 200}, {[]byte("k"), nil, 201}, {[]byte("far"), nil, 200_000}, {[]byte("k"), []byte("last"), 200_001}} {
			if _, ok, err := s.PutVersion(v.key, v.value, v.at); err != nil || !ok {
				t.Fatal(ok, err)
			}
		}
		now, before := "last from 200001", ""
		if lingers { // that there was nothing is known, too
			now, before = "last from 200001,  from 201", ", second from 50, first from 0"
		}
		if got := versionsOf(t, s, 0); got != now {
			t.Errorf("there is %s", got)
		}
		s.KeepExpired(true)
		if got := versionsOf(t, s, 0); got != now+before {
			t.Errorf("who is told late sees %s", got)
		}
		s.KeepExpired(false)
		if _, ok, err := s.PutVersion([]byte("k"), []byte("late"), 200_000-101); ok || err != nil {
			t.Errorf("what is late is taken: %v", err)
		}
		s.Commit()
		s.KeepExpired(true)
		if got := versionsOf(t, s, 0); got != now {
			t.Errorf("after a commit who is told late sees %s", got)
		}
	}
}
