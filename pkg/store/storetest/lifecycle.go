package storetest

import (
	"testing"

	"github.com/leatstream/leat/internal/engine"
)

// closed looks at what an engine does that was closed: it says so and does not
// panic, because queries may still arrive.
func closed(t *testing.T, s subject) {
	s.write(set(first, "a", "1"), at(first, 1))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var b engine.Batch
	b.Set(first, []byte("b"), nil)
	_, _, get := s.Get(first, []byte("a"), nil)
	_, rng := s.Range(first, nil, nil, false)
	_, _, pos := s.Position(first)
	_, list := s.Namespaces()
	for name, err := range map[string]error{
		"Get": get, "Range": rng, "Position": pos, "Namespaces": list,
		"Write": s.Write(&b), "Drop": s.Drop(first), "Close": s.Close(),
	} {
		if err == nil {
			t.Errorf("%s of a closed engine gave no error", name)
		}
	}
}

func leakedIterator(t *testing.T, s subject) {
	s.write(set(first, "a", "1"), set(first, "b", "1"))
	it := s.iterate(first, nil, nil, false)
	it.Next()
	if s.Close() == nil {
		t.Error("Close with an open iterator gave no error")
	}
	it.Next() // of no use, but must not panic
	it.Close()
}
