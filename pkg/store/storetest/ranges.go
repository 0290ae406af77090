package storetest

import (
	"slices"
	"testing"

	"github.com/leatstream/leat/internal/engine"
)

func rangeBounds(t *testing.T, s subject) {
	s.wantAll(first)
	s.write(set(first, "d", "4"), set(first, "b", "2"), set(first, "a", "1"), set(first, "\xff\xff", "5"))
	// Neighbours on both sides, which must not show.
	s.write(set(engine.Namespace{Store: "firs", Partition: 9}, "a", "no"), set(engine.Namespace{Store: "firsu"}, "a", "no"),
		set(engine.Namespace{Store: "first", Partition: 1}, "a", "no"), set(engine.Namespace{Store: "first", Partition: -1}, "a", "no"))
	for _, c := range []struct {
		lo, hi []byte
		want   string
	}{
		{nil, nil, "1245"},
		{[]byte{}, nil, "1245"},
		{nil, []byte{}, ""},
		{[]byte("a"), []byte("d"), "12"},
		{[]byte("a\x00"), []byte("d\x00"), "24"},
		{[]byte("b"), nil, "245"},
		{[]byte("c"), nil, "45"},
		{nil, []byte("b"), "1"},
		{nil, []byte("c"), "12"},
		{nil, []byte("\xff\xff\xff"), "1245"},
		{[]byte("\xff\xff"), nil, "5"},
		{[]byte("\xff\xff\x00"), nil, ""},
		{[]byte("b"), []byte("b"), ""},
		{[]byte("d"), []byte("b"), ""},
		{[]byte("x"), []byte("y"), ""},
		{nil, []byte("A"), ""},
	} {
		if got := s.values(c.lo, c.hi, false); got != c.want {
			t.Errorf("Range(%q, %q) = %s, want %s", c.lo, c.hi, got, c.want)
		}
		reversed := []byte(c.want)
		slices.Reverse(reversed)
		if got := s.values(c.lo, c.hi, true); got != string(reversed) {
			t.Errorf("Range(%q, %q) in reverse = %s, want %s", c.lo, c.hi, got, reversed)
		}
	}
}

// values returns the values of a range, which are of one byte, in a row.
func (s subject) values(lo, hi []byte, reverse bool) (values string) {
	s.t.Helper()
	it := s.iterate(first, lo, hi, reverse)
	for it.Next() {
		values += string(it.Value())
	}
	if it.Next() {
		s.t.Errorf("Range(%q, %q, %v) goes on after its end", lo, hi, reverse)
	}
	if err := it.Close(); err != nil {
		s.t.Fatal(err)
	}
	return values
}

func rangeSnapshot(t *testing.T, s subject) {
	for _, reverse := range []bool{false, true} {
		s.write(set(first, "a", "1"), set(first, "b", "1"), set(first, "c", "1"))
		want := s.all(first)
		if reverse {
			slices.Reverse(want)
		}
		unread, read := s.iterate(first, nil, nil, reverse), s.iterate(first, nil, nil, reverse)
		read.Next()
		s.write(set(first, "a", "2"), set(first, "aa", "2"), del(first, "b"), set(first, "d", "2"))
		if err := s.Drop(first); err != nil {
			t.Fatal(err)
		}
		s.write(set(first, "z", "3"))
		s.wantAll(first, entry("z", "3"))

		if got := s.collect(unread); !slices.Equal(got, want) {
			t.Errorf("an iterator sees %v, want %v", got, want)
		}
		if got := append(want[:1:1], s.collect(read)...); !slices.Equal(got, want) {
			t.Errorf("an iterator that was under way sees %v, want %v", got, want)
		}
		s.write(del(first, "z"))
	}
}

func rangeIndependent(t *testing.T, s subject) {
	s.write(set(first, "a", "1"), set(first, "b", "2"), set(first, "c", "3"))
	up, down := s.iterate(first, nil, nil, false), s.iterate(first, nil, nil, true)
	var got string
	for up.Next() && down.Next() {
		got += string(up.Key()) + string(up.Value()) + string(down.Key()) + string(down.Value()) + " "
	}
	if want := "a1c3 b2b2 c3a1 "; got != want {
		t.Errorf("two iterators in turn see %q, want %q", got, want)
	}
	if err := up.Close(); err != nil {
		t.Error(err)
	}
	if err := down.Close(); err != nil {
		t.Error(err)
	}
	if up.Close() == nil {
		t.Error("an iterator was closed twice without an error")
	}
}
