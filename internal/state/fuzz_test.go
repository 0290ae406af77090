package state

import (
	"testing"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
)

// FuzzReplay feeds any changelog record, twice, and its deletion to stores of every
// layout. What they take can be walked through, and what they keep of it is what was
// there; what they do not take is an error. The same bytes are then taken for the
// versions of a row.
func FuzzReplay(f *testing.F) {
	f.Add([]byte("key"), []byte("value"))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x07k\x00\x00\x00\x01"), []byte("12345678"))
	f.Add([]byte{}, []byte("\x00\x00\x00\x00\x00\x00\x00\x07\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x02ab"))
	ordered := NewSegments(200_000, 12)
	ordered.Ordered, ordered.Numbered = true, true
	layouts := []Layout{Plain{}, Fronted{At: 8}, Numbered{At: 1}, NewSegments(100_000, 8), ordered, NewVersions(1000), Queue{}, Recent{Most: 2}}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		for _, l := range layouts {
			s, err := Open(memory.New(), ns, l)
			if err != nil {
				t.Fatal(err)
			}
			r, err := NewRestorer(s)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range [][]byte{value, value, nil} {
				if v == nil {
					v = []byte{}
				}
				if r.Apply(key, v, 1) != nil {
					break
				}
				if err := r.Write(engine.Position{Offset: 1}); err != nil {
					t.Fatal(err)
				}
				seen := walkThrough(t, s)
				for _, e := range seen {
					if e[0] != string(key) || e[1] != string(v) {
						t.Fatalf("%T: of %q=%q there is %q", l, key, v, e)
					}
				}
			}
			if r.Apply(key, nil, 2) == nil && r.Write(engine.Position{Offset: 2}) == nil {
				walkThrough(t, s)
			}
		}
		rows := 0
		_ = NewVersions(1000).Each(make([]byte, segmentSize), value, func(_, v []byte) error {
			if rows++; len(v) > len(value) || rows > len(value)/versionHead {
				t.Fatalf("%q holds %q", value, v)
			}
			return nil
		})
		_, _, _ = addVersion(value, version{key, value, 1}, 0)
	})
}

// walkThrough returns what the changelog has of a store's entries.
func walkThrough(t *testing.T, s *Store) (entries [][2]string) {
	t.Helper()
	var failed error
	err := s.Range(nil, nil, false, func(key, value []byte, _ int64) bool {
		_, failed = s.EachLogged(key, value, func(key, value []byte) error {
			entries = append(entries, [2]string{string(key), string(value)})
			return nil
		})
		return failed == nil
	})
	if err != nil || failed != nil {
		t.Fatalf("%T: %v, %v", s.layout, err, failed)
	}
	return entries
}
