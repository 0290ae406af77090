package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/leatstream/leat/internal/engine"
)

// A subject is the engine under test, with helpers that fail the test at the
// first error.
type subject struct {
	t *testing.T
	engine.Engine
}

var first = engine.Namespace{Store: "first", Partition: 0}

// An edit adds changes to a batch.
type edit func(*engine.Batch)

func set(ns engine.Namespace, key, value string) edit {
	return func(b *engine.Batch) { b.Set(ns, []byte(key), []byte(value)) }
}

func del(ns engine.Namespace, key string) edit {
	return func(b *engine.Batch) { b.Delete(ns, []byte(key)) }
}

func at(ns engine.Namespace, offset int64) edit {
	return func(b *engine.Batch) { b.SetPosition(ns, position(offset)) }
}

// position is one whose parts all depend on offset.
func position(offset int64) engine.Position {
	p := engine.Position{Offset: offset, Time: offset * 1000}
	p.Topic[0], p.Topic[15] = byte(offset), byte(offset>>8)
	return p
}

func (s subject) write(edits ...edit) {
	s.t.Helper()
	var b engine.Batch
	for _, e := range edits {
		e(&b)
	}
	if err := s.Write(&b); err != nil {
		s.t.Fatalf("Write: %v", err)
	}
}

// get returns the value of key as %q prints it, "-" if there is none.
func (s subject) get(ns engine.Namespace, key string) string {
	s.t.Helper()
	value, ok, err := s.Get(ns, []byte(key), nil)
	if err != nil {
		s.t.Fatalf("Get(%v, %q): %v", ns, key, err)
	}
	if !ok {
		return "-"
	}
	if value == nil {
		s.t.Errorf("Get(%v, %q) is nil, want a value that is not", ns, key)
	}
	return fmt.Sprintf("%q", value)
}

func (s subject) wantGet(ns engine.Namespace, key, want string) {
	s.t.Helper()
	if got := s.get(ns, key); got != want {
		s.t.Errorf("Get(%v, %q) = %s, want %s", ns, key, got, want)
	}
}

func (s subject) iterate(ns engine.Namespace, lo, hi []byte, reverse bool) engine.Iterator {
	s.t.Helper()
	it, err := s.Range(ns, lo, hi, reverse)
	if err != nil {
		s.t.Fatalf("Range(%v, %q, %q, %v): %v", ns, lo, hi, reverse, err)
	}
	return it
}

// collect reads it to its end and closes it.
func (s subject) collect(it engine.Iterator) []string {
	s.t.Helper()
	entries, err := collect(it)
	if err != nil {
		s.t.Fatalf("Range: %v", err)
	}
	return entries
}

func collect(it engine.Iterator) (entries []string, err error) {
	for it.Next() {
		if it.Key() == nil || it.Value() == nil {
			err = errors.New("a key or value that is nil")
		}
		entries = append(entries, entry(string(it.Key()), string(it.Value())))
	}
	if it.Next() {
		err = errors.New("iterator: Next is true again after it was false")
	}
	return entries, errors.Join(err, it.Close())
}

func entry(key, value string) string { return fmt.Sprintf("%q=%q", key, value) }

func (s subject) all(ns engine.Namespace) []string {
	s.t.Helper()
	return s.collect(s.iterate(ns, nil, nil, false))
}

func (s subject) wantAll(ns engine.Namespace, want ...string) {
	s.t.Helper()
	if got := s.all(ns); !slices.Equal(got, want) {
		s.t.Errorf("%v holds %v, want %v", ns, got, want)
	}
}

func (s subject) wantPosition(ns engine.Namespace, want engine.Position, wantOK bool) {
	s.t.Helper()
	p, ok, err := s.Position(ns)
	if err != nil || ok != wantOK || p != want {
		s.t.Errorf("Position(%v) = %v, %v, %v, want %v, %v", ns, p, ok, err, want, wantOK)
	}
}

func (s subject) wantNamespaces(want ...engine.Namespace) {
	s.t.Helper()
	got, err := s.Namespaces()
	if err != nil || !slices.Equal(got, want) {
		s.t.Errorf("Namespaces = %v, %v, want %v", got, err, want)
	}
}
