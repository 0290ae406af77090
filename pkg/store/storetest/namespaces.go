package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/leatstream/leat/internal/engine"
)

// neighbours are names and partitions that a careless layout would mix up, in
// order.
func neighbours() []engine.Namespace {
	var list []engine.Namespace
	for _, store := range []string{"a", "a-b", "a.b", "aa", "ab", "b"} {
		for _, partition := range []int32{0, 1, 255, 256, 65536, 0x61620000} {
			list = append(list, engine.Namespace{Store: store, Partition: partition})
		}
	}
	return list
}

func namespacesApart(t *testing.T, s subject) {
	keys := []string{"", "\x00", "\x00\x00\x00\x01", "\xff\xff\xff\xff\xff"}
	for _, ns := range neighbours() {
		for _, key := range keys {
			s.write(set(ns, key, fmt.Sprint(ns)))
		}
	}
	check := func(ns engine.Namespace) {
		t.Helper()
		var want []string
		for _, key := range keys {
			want = append(want, entry(key, fmt.Sprint(ns)))
			s.wantGet(ns, key, fmt.Sprintf("%q", fmt.Sprint(ns)))
		}
		s.wantAll(ns, want...)
		slices.Reverse(want)
		if got := s.collect(s.iterate(ns, nil, nil, true)); !slices.Equal(got, want) {
			t.Errorf("%v in reverse holds %v, want %v", ns, got, want)
		}
	}
	for _, ns := range neighbours() {
		check(ns)
	}
	for i, ns := range neighbours() { // every second one goes
		if i%2 == 0 {
			if err := s.Drop(ns); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, ns := range neighbours() {
		if i%2 == 0 {
			s.wantAll(ns)
		} else {
			check(ns)
		}
	}
}

func positions(t *testing.T, s subject) {
	s.wantPosition(first, engine.Position{}, false)
	s.write(set(first, "a", "1"))
	s.wantPosition(first, engine.Position{}, false)
	s.write(set(first, "a", "2"), at(first, 1<<40+7))
	s.wantPosition(first, position(1<<40+7), true)
	s.write(at(first, -1))
	s.wantPosition(first, position(-1), true)
	s.write(set(first, "b", "3"))
	s.wantPosition(first, position(-1), true)
	s.write(func(b *engine.Batch) { b.SetPosition(first, engine.Position{}) })
	s.wantPosition(first, engine.Position{}, true)
	s.wantAll(first, entry("a", "2"), entry("b", "3"))
	for _, ns := range neighbours() {
		s.wantPosition(ns, engine.Position{}, false)
	}
}

func namespaces(t *testing.T, s subject) {
	s.wantNamespaces()
	list := neighbours()
	for i := len(list) - 1; i >= 0; i-- {
		s.write(at(list[i], int64(i)), set(list[i], "a", "1"))
	}
	s.write(set(engine.Namespace{Store: "without"}, "a", "1"))
	s.wantNamespaces(list...)
	for i, ns := range list {
		s.wantPosition(ns, position(int64(i)), true)
	}
	if err := s.Drop(list[0]); err != nil {
		t.Fatal(err)
	}
	s.wantNamespaces(list[1:]...)
}

func drop(t *testing.T, s subject) {
	before, after := engine.Namespace{Store: "first", Partition: -1}, engine.Namespace{Store: "first", Partition: 1}
	for _, ns := range []engine.Namespace{before, first, after} {
		s.write(at(ns, 5), set(ns, "", "1"), set(ns, "a", "1"), set(ns, strings.Repeat("\xff", 20), "1"))
	}
	if err := s.Drop(first); err != nil {
		t.Fatal(err)
	}
	s.wantAll(first)
	s.wantGet(first, "a", "-")
	s.wantPosition(first, engine.Position{}, false)
	for _, ns := range []engine.Namespace{before, after} {
		s.wantAll(ns, entry("", "1"), entry("a", "1"), entry(strings.Repeat("\xff", 20), "1"))
		s.wantPosition(ns, position(5), true)
	}
	s.write(set(first, "b", "2"), at(first, 9))
	s.wantAll(first, entry("b", "2"))
	s.wantPosition(first, position(9), true)
}

func dropNothing(t *testing.T, s subject) {
	if err := s.Drop(first); err != nil {
		t.Error(err)
	}
	s.wantAll(first)
	s.wantNamespaces()
}
