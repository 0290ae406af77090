package store

import (
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/pkg/serde"
)

// LRU describes a key-value store of at most so many entries in each partition: one more
// deletes the entry that was used longest ago, and nobody is told. To read an entry, or to
// write it, is to use it; ranges and readers (KV.Reader) do not. The changelog has
// tombstones for what was deleted, as that of Kafka Streams' lruMap, and is written in the
// order of last use: so that order lasts over restarts, at the price of a record for
// each entry that was only read since the last commit. A table in such a store is not
// coalesced. Fewer than one entry is a mistake that Build reports.
func LRU[K, V any](name string, most int, key serde.Serde[K], value serde.Serde[V]) KV[K, V] {
	d := KeyValue(name, key, value)
	d.bounded, d.most = true, int64(most)
	return d
}

// Most is how many entries the store may have; bounded is false if any number.
func (d KV[K, V]) Most() (n int64, bounded bool) { return d.most, d.bounded }

// The view of a bounded store reads and writes its state through these.

func (v *View[K, V]) get(key []byte) (value []byte, at int64, ok bool, err error) {
	if v.d.bounded {
		return v.s.GetRecent(key)
	}
	return v.s.Get(key)
}

func (v *View[K, V]) put(key, value []byte, at int64) error {
	if v.d.bounded {
		return v.s.PutRecent(key, value, at)
	}
	v.s.Put(key, value, at)
	return nil
}

func (v *View[K, V]) remove(key []byte, at int64) error {
	if v.d.bounded {
		return v.s.DeleteRecent(key, at)
	}
	v.s.Delete(key, at)
	return nil
}

// entries are the bytes of the store in order.
func (v *View[K, V]) entries() ranged {
	if v.d.bounded {
		return recentEntries{v.s}
	}
	return v.s
}

// peek returns a value without using it.
func (v *View[K, V]) peek(key []byte) (value []byte, at int64, ok bool, err error) {
	if v.d.bounded {
		key = state.Recent{}.Entry(make([]byte, 0, 1+len(key)), key)
	}
	return v.s.Get(key)
}

// recentEntries are the entries of a bounded store by the keys that the changelog has.
type recentEntries struct{ s *state.Store }

func (r recentEntries) Range(lo, hi []byte, reverse bool, yield func(key, value []byte, time int64) bool) error {
	l := state.Recent{}
	first, last := l.Entries()
	if lo != nil {
		first = l.Entry(nil, lo)
	}
	if hi != nil {
		last = l.Entry(nil, hi)
	}
	return r.s.Range(first, last, reverse, func(key, value []byte, time int64) bool { return yield(key[1:], value, time) })
}
