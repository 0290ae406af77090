package store

import (
	"encoding/binary"
	"iter"
	"maps"
	"math"
	"strconv"

	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/pkg/serde"
)

// An expiring is a store whose entries expire, as its views see it. The changelog key
// of an entry is an encoded key, then a time that decides when the entry expires, in
// eight bytes, then something more.
type expiring[K any] struct {
	s        *state.Store
	segments state.Segments
	key      serde.Serde[K]
	scope    Scope
	buf      []byte // encoded key of an entry, then encoded value
	lo, hi   []byte // bounds of a range; nil while they are in use
}

func newExpiring[K any](name string, key serde.Serde[K], s Scope) expiring[K] {
	st := s.OpenStore(name)
	return expiring[K]{s: st, segments: st.Layout().(state.Segments), key: key, scope: s}
}

// changelogConfig is the configuration of the changelog of a store with a retention,
// in ms.
func changelogConfig(retention int64, configs map[string]string) map[string]string {
	const extra = 24 * 60 * 60 * 1000 // windowstore.changelog.additional.retention.ms
	out := map[string]string{"cleanup.policy": "compact,delete", "retention.ms": "-1"}
	if retention < math.MaxInt64-extra {
		out["retention.ms"] = strconv.FormatInt(retention+extra, 10)
	}
	maps.Copy(out, configs)
	return out
}

// admit moves the store's time to at, and reports whether it is not too late to write
// there: whether the segment is still kept. What is written to it may have expired all
// the same; it is in the changelog then, and never read, as in Kafka Streams.
func (v *expiring[K]) admit(at int64) bool {
	if v.s.Admit(v.segments, at) {
		return true
	}
	v.scope.Late()
	return false
}

// encode makes buf the beginning of an entry's key: all up to its time.
func (v *expiring[K]) encode(k K, at int64) (err error) {
	v.buf = v.segments.Append(v.buf[:0], at)
	if v.buf, err = v.key.Append(v.buf, k); err != nil {
		return err
	}
	v.buf = binary.BigEndian.AppendUint64(v.buf, uint64(at))
	return nil
}

// put sets the entry whose key is the first n bytes of buf, and whose encoded value
// the rest is.
func (v *expiring[K]) put(n int, entryTime, at int64) error {
	if v.segments.Ordered {
		_, _, there, err := v.s.Get(v.buf[:n])
		if err != nil {
			return err
		}
		if !there {
			v.lo = append(v.segments.AppendOrder(v.lo[:0], entryTime), v.buf[8:n]...)
			v.s.PutOrder(v.lo, entryTime, at)
		}
	}
	v.s.Put(v.buf[:n:n], v.buf[n:], at)
	return nil
}

// remove deletes the entry whose key is buf.
func (v *expiring[K]) remove(entryTime, at int64) {
	if v.segments.Ordered {
		v.lo = append(v.segments.AppendOrder(v.lo[:0], entryTime), v.buf[8:]...)
		v.s.Delete(v.lo, at)
	}
	v.s.Delete(v.buf, at)
}

// between calls fn for each segment that holds live times from from to to, and that may
// have entries, in their order or in reverse, with what its keys begin with, until fn
// returns false.
func (v *expiring[K]) between(from, to int64, d direction, fn func(prefix uint64) (bool, error)) error {
	from = max(0, from, v.s.Live(v.segments))
	if to = min(to, v.s.Last(v.segments, from)); to < from {
		return nil
	}
	first, last := v.segments.Segment(from), v.segments.Segment(to)
	seg, step, next := first, int64(1), v.s.HeldFrom
	if d == backward {
		seg, step, next = last, -1, v.s.HeldUpTo
	}
	for seg, ok := next(seg); ok && first <= seg && seg <= last; seg, ok = next(seg + step) {
		if more, err := fn(v.segments.Prefix(seg)); err != nil || !more {
			return err
		}
	}
	return nil
}

// direction is that of a walk over entries.
type direction bool

const (
	forward  direction = false
	backward direction = true
)

// scan calls fn for the live entries of k with times from from to to, until it returns
// false. The slices are valid during
// the call only; the store may be written to meanwhile.
func (v *expiring[K]) scan(k K, from, to int64, d direction, fn func(local, raw []byte, at int64) bool) error {
	lo, hi := v.lo, v.hi
	v.lo, v.hi = nil, nil // fn may scan, too
	defer func() { v.lo, v.hi = lo, hi }()
	var err error
	if lo, err = v.key.Append(binary.BigEndian.AppendUint64(lo[:0], 0), k); err != nil {
		return err
	}
	n := len(lo)
	hi = append(hi[:0], lo...)
	from = max(0, from, v.s.Live(v.segments))
	return v.between(from, to, d, func(prefix uint64) (bool, error) {
		binary.BigEndian.PutUint64(lo, prefix)
		binary.BigEndian.PutUint64(hi, prefix)
		lo = binary.BigEndian.AppendUint64(lo[:n], uint64(from))
		hi = binary.BigEndian.AppendUint64(hi[:n], uint64(to)+1)
		more := true
		err := v.s.Range(lo, hi, bool(d), func(local, raw []byte, at int64) bool {
			if len(local) == n+v.segments.At { // else it is of a longer key
				more = fn(local, raw, at)
			}
			return more
		})
		return more, err
	})
}

// all calls fn for the live entries of every key with times from from to to, by
// segments of time and in the order of the encoded keys within one, or in reverse.
func (v *expiring[K]) all(from, to int64, d direction, fn func(local, raw []byte, at int64) bool) error {
	from = max(from, v.s.Live(v.segments))
	return v.between(from, to, d, func(prefix uint64) (bool, error) {
		lo := binary.BigEndian.AppendUint64(nil, prefix)
		hi := binary.BigEndian.AppendUint64(nil, prefix+1)
		more := true
		err := v.s.Range(lo, hi, bool(d), func(local, raw []byte, at int64) bool {
			if t := v.time(local); t >= from && t <= to {
				more = fn(local, raw, at)
			}
			return more
		})
		return more, err
	})
}

// time is the one that the key of an entry holds.
func (v *expiring[K]) time(local []byte) int64 {
	return int64(binary.BigEndian.Uint64(local[len(local)-v.segments.At:]))
}

// A Walked is where a walk in the order of time has ended.
type Walked struct {
	Next int64 // the time of the first entry after those walked over; math.MaxInt64: there is none
	Lost int   // how many entries had expired, and were passed over
}

// OnOrder has fn called with the time, in ms, of each entry that comes to be walked over in
// the order of times, by whatever view it is written. It is for leat's own operators.
func (v *expiring[K]) OnOrder(fn func(time int64)) { v.s.OnOrder(fn) }

// inOrder calls fn for the entries of an ordered store with times from from to to, in
// the order of their times, but for those before floor.
func (v *expiring[K]) inOrder(from, to, floor int64, fn func(local, raw []byte, at int64) error) (w Walked, err error) {
	w.Next = math.MaxInt64
	lo := v.segments.AppendOrder(nil, max(0, from))
	for more := true; more; {
		more = false
		e := v.s.Range(lo, nil, false, func(key, _ []byte, _ int64) bool {
			if !v.segments.Orders(key) { // on to the next segment
				lo = binary.BigEndian.AppendUint64(lo[:0], binary.BigEndian.Uint64(key)+1)
				more = true
				return false
			}
			t := int64(binary.BigEndian.Uint64(key[8:]))
			switch {
			case t > to:
				w.Next = t
				return false
			case t < floor:
				w.Lost++
				return true
			}
			err = v.own(key, fn)
			return err == nil
		})
		if err == nil {
			err = e
		}
		if err != nil {
			return Walked{}, err
		}
	}
	return w, nil
}

// own calls fn for the entry that the one at key orders.
func (v *expiring[K]) own(key []byte, fn func(local, raw []byte, at int64) error) error {
	v.buf = v.segments.Own(v.buf[:0], key)
	raw, at, ok, err := v.s.Get(v.buf)
	if err != nil || !ok {
		return err
	}
	return fn(v.buf, raw, at)
}

// seq is a walk over entries as a sequence. After an error it ends.
func seq[E any](walk func(fn func(local, raw []byte, at int64) bool) error, entry func(local, raw []byte, at int64) (E, error)) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		done := false
		err := walk(func(local, raw []byte, at int64) bool {
			e, err := entry(local, raw, at)
			done = !yield(e, err) || err != nil
			return !done
		})
		if err != nil && !done {
			var none E
			yield(none, err)
		}
	}
}
