package state

import (
	"fmt"
	"strings"
	"testing"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
)

// A store is restored on top of local state that is behind, whose newest version of a key is a tombstone. The first record
// that is replayed is of this key, and older than the tombstone: that must be found, although nothing has said yet that
// time has come so far.
func TestVersionsRestoreBehindTombstone(t *testing.T) {
	const history = 500_000
	eng, ns, g := memory.New(), engine.Namespace{Store: "rows"}, NewVersions(history)
	s, err := Open(eng, ns, g)
	if err != nil {
		t.Fatal(err)
	}
	put := func(value []byte, at int64) {
		t.Helper()
		if _, ok, err := s.PutVersion([]byte("k"), value, at); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	put([]byte("first"), 10*history)
	put(nil, 11*history)
	s.Commit()
	flush(t, s)

	if s, err = Open(eng, ns, g); err != nil {
		t.Fatal(err)
	}
	r, err := NewRestorer(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Apply([]byte("k"), []byte("second"), 10*history+100); err != nil {
		t.Fatal(err)
	}
	if err := r.Write(engine.Position{Offset: 3}); err != nil {
		t.Fatal(err)
	}
	s.Resume(11 * history)
	if got := versionsOf(t, s, 10*history); got != " from 500000, second from 100, first from 0" {
		t.Error(got)
	}
}

// versionsOf is what can be read of the key k, the newest first, with times since base.
func versionsOf(t *testing.T, s *Store, base int64) string {
	t.Helper()
	var got []string
	err := s.EachVersion([]byte("k"), func(value []byte, from, _ int64) bool {
		got = append(got, fmt.Sprintf("%s from %d", value, from-base))
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(got, ", ")
}

// Without transactions what is replayed may be further than what was committed. What is
// done again reads the versions of its time: a replay must not have dropped them.
func TestVersionsOfWhatIsDoneAgain(t *testing.T) {
	const history = 500_000
	s, err := Open(memory.New(), engine.Namespace{Store: "rows"}, NewVersions(history))
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewRestorer(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []version{{value: []byte("first")}, {value: []byte("second"), at: 100}, {value: []byte("third"), at: history + history/2}} {
		if err := r.Apply([]byte("k"), v.value, 10*history+v.at); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Apply([]byte("far"), nil, 1<<50); err != nil { // segments up to there are not walked over
		t.Fatal(err)
	}
	if err := r.Write(engine.Position{Offset: 4}); err != nil {
		t.Fatal(err)
	}
	s.ResumeBehind(NeverObserved)
	if got := versionsOf(t, s, 10*history); got != "third from 750000, second from 100, first from 0" {
		t.Errorf("nothing had been committed: %s", got)
	}
	if err := s.EachVersion([]byte("none"), func([]byte, int64, int64) bool { return true }); err != nil {
		t.Error(err)
	}
	s.ResumeBehind(10*history + 100)
	if got := versionsOf(t, s, 10*history); got != "third from 750000, second from 100, first from 0" {
		t.Error(got)
	}
}

// What expires may be of the last time there is, and is found when the store is opened anew.
func TestLastTime(t *testing.T) {
	t.Parallel()
	const last = 1<<63 - 1
	eng, ns, g := memory.New(), engine.Namespace{Store: "rows"}, NewVersions(500_000)
	s, err := Open(eng, ns, g)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []version{{[]byte("k"), []byte("first"), last - 1}, {[]byte("k"), nil, last}} {
		if _, ok, err := s.PutVersion(v.key, v.value, v.at); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	s.Commit()
	flush(t, s)
	if s, err = Open(eng, ns, g); err != nil {
		t.Fatal(err)
	}
	if got := versionsOf(t, s, last); got != " from 0, first from -1" {
		t.Errorf("there is %s", got)
	}
}
