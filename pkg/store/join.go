package store

import (
	"maps"

	"github.com/leatstream/leat/pkg/serde"
)

// JoinStores describe what a join of two streams keeps: the records of either side, for
// as long as they may find a partner, and those that have none yet, where the join
// emits them too. Their names are Kafka Streams', by default.
type JoinStores[K, L, R any] struct {
	name                   string
	lefts, rights, singles string // "": derived from name
	key                    serde.Serde[K]
	left                   serde.Serde[L]
	right                  serde.Serde[R]
	unlogged, twice        bool
	configs                map[string]string
}

// Join describes the stores of the join called name. The name is durable: the names of
// the stores derive from it, and those of their changelog topics from them.
func Join[K, L, R any](name string, key serde.Serde[K], left serde.Serde[L], right serde.Serde[R]) JoinStores[K, L, R] {
	return JoinStores[K, L, R]{name: name, key: key, left: left, right: right}
}

// Named returns a copy of d whose stores are called as given: that of the left records,
// that of the right ones, and that of those without a partner. An empty name stays what
// it was.
func (d JoinStores[K, L, R]) Named(lefts, rights, singles string) JoinStores[K, L, R] {
	d.lefts, d.rights, d.singles = lefts, rights, singles
	return d
}

// Unlogged returns a copy of d without changelogs: the records are lost with the local
// state, and so are the results that they would have had.
func (d JoinStores[K, L, R]) Unlogged() JoinStores[K, L, R] {
	d.unlogged = true
	return d
}

// TopicConfig returns a copy of d whose changelog topics are created with the given
// configuration besides the defaults.
func (d JoinStores[K, L, R]) TopicConfig(configs map[string]string) JoinStores[K, L, R] {
	d.configs = maps.Clone(configs)
	return d
}

// Twice returns a copy of d that keeps both sides of a join of a stream with itself, as
// Kafka Streams does unless it is told otherwise. By default its records are kept once.
func (d JoinStores[K, L, R]) Twice() JoinStores[K, L, R] {
	d.twice = true
	return d
}

// Name is the name of the join.
func (d JoinStores[K, L, R]) Name() string { return d.name }

// Once returns d for a join of a stream with itself, whose records one store can hold.
func (d JoinStores[K, L, R]) Once() JoinStores[K, L, R] {
	if !d.twice {
		d.rights = d.Lefts(OuterNone, 0).Name()
	}
	return d
}

// Outer says which sides of a join emit the records that have no partner.
type Outer int8

// The joins there are.
const (
	OuterNone Outer = iota
	OuterLeft
	OuterBoth
)

// Lefts describes the store of the left records.
func (d JoinStores[K, L, R]) Lefts(o Outer, retention int64) WindowStore[K, L] {
	suffix := "-this-join-store"
	if o == OuterBoth {
		suffix = "-outer-this-join-store"
	}
	return side(d.spec(d.lefts, suffix), d.key, d.left, retention)
}

// Rights describes the store of the right records.
func (d JoinStores[K, L, R]) Rights(o Outer, retention int64) WindowStore[K, R] {
	suffix := "-other-join-store"
	if o != OuterNone {
		suffix = "-outer-other-join-store"
	}
	return side(d.spec(d.rights, suffix), d.key, d.right, retention)
}

// Singles describes the store of the records without a partner.
func (d JoinStores[K, L, R]) Singles(o Outer) Singles[K, L, R] {
	suffix := "-left-shared-join-store"
	if o == OuterBoth {
		suffix = "-outer-shared-join-store"
	}
	return Singles[K, L, R]{d.spec(d.singles, suffix), d.key, d.left, d.right}
}

func (d JoinStores[K, L, R]) spec(name, suffix string) Spec {
	if name == "" {
		name = d.name + suffix
	}
	return Spec{Name: name, Logged: !d.unlogged, Configs: d.configs}
}

func side[K, V any](spec Spec, key serde.Serde[K], value serde.Serde[V], retention int64) WindowStore[K, V] {
	return WindowStore[K, V]{spec: spec, key: key, value: value, retention: max(1, retention), repeats: true}
}
