package state

import (
	"testing"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
)

// What was kept by another layout is not looked for in vain: it is restored.
func TestAnotherLayout(t *testing.T) {
	t.Parallel()
	eng := memory.New()
	two := NewSegments(200_000, 12)
	ordered := two
	ordered.Ordered = true
	longer := two
	longer.Retention *= 2
	for i, c := range []struct {
		layout Layout
		kept   bool
	}{
		{two, false}, {two, true}, {longer, true}, {NewSegments(900_000, 12), false}, {ordered, false},
		{ordered, true}, {Plain{}, false}, {Plain{}, true}, {Queue{}, false}, {two, false},
	} {
		s, err := Open(eng, ns, c.layout)
		if err != nil {
			t.Fatal(err)
		}
		_, at := s.Position()
		_, _, there, err := s.Get([]byte("segment."))
		if at != c.kept || there != c.kept || err != nil {
			t.Errorf("%d: %+v: position %v, entry %v, %v; want %v", i, c.layout, at, there, err, c.kept)
		}
		s.Put([]byte("segment."), []byte("1"), 1) // as long as what every entry of a segment begins with
		s.Commit()
		s.SetPosition(engine.Position{Offset: 1})
		flush(t, s)
	}
}
