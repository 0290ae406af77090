package state

import (
	"testing"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
)

// A replay gives numbers that nobody has committed, as what was committed tells of none. A
// unit of work that comes to nothing does not take them back: what is used next would else
// count as older than what was replayed.
func TestRollbackKeepsNumbersOfReplay(t *testing.T) {
	t.Parallel()
	s, err := Open(memory.New(), engine.Namespace{Store: "lru"}, Recent{Most: 2})
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewRestorer(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "b"} {
		if err := r.Apply([]byte(key), []byte("v"), 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Write(engine.Position{Offset: 2}); err != nil {
		t.Fatal(err)
	}
	put := func(key string) {
		t.Helper()
		if err := s.PutRecent([]byte(key), []byte("v"), 1); err != nil {
			t.Fatal(err)
		}
	}
	put("a")
	s.Rollback()
	put("a")
	put("c")
	for key, want := range map[string]bool{"a": true, "b": false, "c": true} {
		if _, _, ok, err := s.Get(Recent{}.Entry(nil, []byte(key))); ok != want || err != nil {
			t.Errorf("%s is there: %v, %v", key, ok, err)
		}
	}
}
