package store

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/wire"
	"github.com/leatstream/leat/pkg/serde"
)

// Singles describe the store of a join's records that have no partner yet, in the order
// of their times. It is for leat's own operators; the bytes of its changelog are Kafka
// Streams': the key is the time, eight bytes, the side, one byte, and the record's key;
// the value is the list of all such records.
type Singles[K, L, R any] struct {
	spec  Spec
	key   serde.Serde[K]
	left  serde.Serde[L]
	right serde.Serde[R]
}

// Side is a side of a join. The right one comes first among equal times.
type Side byte

// The two sides, as they are in keys and values.
const (
	Right Side = iota
	Left
)

const (
	singleHead = 1 + 8 + 1     // what is before the key
	listFlag   = 1             // entries of any size
	listHead   = 1 + 4         // flag, number of entries
	noTime     = math.MaxInt64 // later than all
)

// Name is the store's name.
func (d Singles[K, L, R]) Name() string { return d.spec.Name }

// Spec is what the runtime needs to know of the store.
func (d Singles[K, L, R]) Spec() Spec {
	s := d.spec
	s.Layout = state.Fronted{At: 8}
	s.Serdes = d.serdes()
	return s
}

// serdes are those of keys, of left values and of right ones.
func (d Singles[K, L, R]) serdes() Serdes {
	if d.key == nil || d.left == nil || d.right == nil {
		return Serdes{}
	}
	at := func(changelog string) []part {
		value := place(changelog, serde.Value)
		return []part{partOf("key", serde.At(d.key, place(changelog, serde.Key))), partOf("left value", serde.At(d.left, value)), partOf("right value", serde.At(d.right, value))}
	}
	return Serdes{at: at, cut: func(key, value []byte, show func(int, []byte) error) error {
		const head = singleHead - 1 // the changelog's keys begin with the time
		if len(key) < head {
			return fmt.Errorf("a key of %d bytes: %w", len(key), wire.ErrFormat)
		}
		part := valuePart
		if Side(key[head-1]) == Right {
			part++
		}
		if err := show(keyPart, key[head:]); err != nil {
			return err
		}
		return eachListed(value, func(raw []byte) error { return show(part, raw) })
	}}
}

// Open returns the view of the store in s.
func (d Singles[K, L, R]) Open(s Scope) *SinglesView[K, L, R] {
	st := s.OpenStore(d.spec.Name)
	d.key, d.left = placed(s, d.spec.Name, d.key, d.left)
	_, d.right = placed(s, d.spec.Name, d.key, d.right)
	return &SinglesView[K, L, R]{d: d, s: st}
}

// A SinglesView reads and writes one partition of the store. It belongs to the goroutine
// of its task. All times are ms.
type SinglesView[K, L, R any] struct {
	d      Singles[K, L, R]
	s      *state.Store
	buf    []byte
	val    []byte
	lo, hi []byte // of a walk
}

// A Single is a record without a partner. Only the value of its side counts.
type Single[K, L, R any] struct {
	Side  Side
	Key   K
	Time  int64
	Left  L
	Right R
}

// Add adds a record, with the timestamp of the record in hand.
func (v *SinglesView[K, L, R]) Add(r Single[K, L, R], now int64) (err error) {
	if err = v.encode(r.Side, r.Key, r.Time); err != nil {
		return err
	}
	old, _, ok, err := v.s.Get(v.buf)
	if err != nil {
		return err
	}
	v.val = append(v.val[:0], old...)
	if !ok {
		v.val = append(v.val, listFlag, 0, 0, 0, 0)
	}
	n := len(v.val)
	v.val = append(v.val, 0, 0, 0, 0, byte(r.Side))
	var b []byte
	if r.Side == Left {
		b, err = v.d.left.Append(v.val, r.Left)
	} else {
		b, err = v.d.right.Append(v.val, r.Right)
	}
	if err != nil || b == nil { // what has no bytes cannot be kept
		return err
	}
	v.val = b
	binary.BigEndian.PutUint32(b[1:], binary.BigEndian.Uint32(b[1:])+1)
	binary.BigEndian.PutUint32(b[n:], uint32(len(b)-n-4))
	v.s.Put(v.buf, b, now)
	return nil
}

// Remove removes the records of a side that have a key and a time, if there are any.
func (v *SinglesView[K, L, R]) Remove(s Side, k K, at, now int64) error {
	if err := v.encode(s, k, at); err != nil {
		return err
	}
	_, _, ok, err := v.s.Get(v.buf)
	if ok {
		v.s.Delete(v.buf, now)
	}
	return err
}

// encode makes buf the key of an entry.
func (v *SinglesView[K, L, R]) encode(s Side, k K, at int64) (err error) {
	v.buf = append(singlesAt(v.buf[:0], s, at), byte(s))
	v.buf, err = v.d.key.Append(v.buf, k)
	return err
}

// singlesAt appends what the keys of a side's entries at a time begin with.
func singlesAt(dst []byte, s Side, at int64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, byte(s)), uint64(max(0, at)))
}

// from and upTo are the bounds of a side's entries from a time on. They hold until they
// are next asked for: there is one walk at a time.
func (v *SinglesView[K, L, R]) from(s Side, at int64) []byte {
	v.lo = singlesAt(v.lo[:0], s, at)
	return v.lo
}

func (v *SinglesView[K, L, R]) upTo(s Side) []byte {
	v.hi = append(v.hi[:0], byte(s)+1)
	return v.hi
}

// Due says which records of either side are to be released: those before Until. There
// are none before From, so that nobody has to walk over what has been deleted there.
type Due struct{ From, Until [2]int64 }

// Release removes the records that are due, and calls fn with each, in the order of
// their times. It moves d.From on. It returns the time that Kafka Streams holds for the
// least one left, by which it decides when to look again, or math.MaxInt64 if there was
// none: so late, and no earlier, results appear there.
func (v *SinglesView[K, L, R]) Release(d *Due, now int64, fn func(Single[K, L, R]) error) (least int64, err error) {
	until := d.Until
	m := singlesMerge[K, L, R]{v: v, until: until, now: now, last: -1, fn: fn}
	for s := range m.head {
		if m.head[s], _, err = v.first(Side(s), d.From[s]); err != nil {
			return 0, err
		}
	}
	for m.err == nil {
		s := Right
		if m.head[Left] < m.head[Right] {
			s = Left
		}
		if m.head[s] >= until[s] {
			if s = 1 - s; m.head[s] >= until[s] {
				break
			}
		}
		m.run(s)
	}
	if m.err != nil {
		return 0, m.err
	}
	d.From = m.head
	return v.least(d, m.last)
}

// A singlesMerge is a walk over both sides in the order of times.
type singlesMerge[K, L, R any] struct {
	v     *SinglesView[K, L, R]
	until [2]int64
	head  [2]int64 // the time of each side's next entry
	last  int64    // the time of the last entry released
	now   int64
	fn    func(Single[K, L, R]) error
	err   error
}

// run releases entries of a side until the other's turn has come.
func (m *singlesMerge[K, L, R]) run(s Side) {
	turn := m.until[s] // the first time that is not to be released now
	if other := m.head[1-s]; other < m.until[1-s] {
		turn = min(turn, other+int64(1-s)) // at equal times the right side is first
	}
	lo := m.v.from(s, m.head[s])
	m.head[s] = noTime
	err := m.v.s.Range(lo, m.v.upTo(s), false, func(key, value []byte, _ int64) bool {
		at := singleAt(key)
		if at >= turn {
			m.head[s] = at
			return false
		}
		m.last = at
		m.err = m.v.each(key, value, m.fn)
		if m.err == nil {
			m.v.s.Delete(key, m.now)
		}
		return m.err == nil
	})
	if m.err == nil {
		m.err = err
	}
}

// singleAt is the time in an entry's key.
func singleAt(key []byte) int64 { return int64(binary.BigEndian.Uint64(key[1:])) }

// first returns the time of the first entry of a side at a time or later, noTime if
// there is none, and how many records it has.
func (v *SinglesView[K, L, R]) first(s Side, from int64) (at int64, records uint32, err error) {
	if at = noTime; from == noTime {
		return at, 0, nil
	}
	err = v.s.Range(v.from(s, from), v.upTo(s), false, func(key, value []byte, _ int64) bool {
		at, records = singleAt(key), listLen(value)
		return false
	})
	return at, records, err
}

// least is where Kafka Streams' walk over the entries in the order of time, side and key
// comes to its end: at the record behind the first ones of both sides that stay, or at
// the last of all. last is the time of the last record that did not stay.
func (v *SinglesView[K, L, R]) least(d *Due, last int64) (int64, error) {
	var at [2]int64
	var records [2]uint32
	for s := range at {
		var err error
		if at[s], records[s], err = v.first(Side(s), max(d.From[s], d.Until[s])); err != nil {
			return 0, err
		}
	}
	if at[Left] == noTime || at[Right] == noTime {
		for s := range at {
			end, err := v.end(Side(s), d.From[s])
			if err != nil {
				return 0, err
			}
			last = max(last, end)
		}
		if last < 0 {
			return noTime, nil
		}
		return last, nil
	}
	s := Right // the side whose turn comes later
	if at[Left] >= at[Right] {
		s = Left
	}
	if records[s] > 1 {
		return at[s], nil
	}
	return v.behind(s, at[s])
}

// behind is the time of the entry behind the first one of a side at a time: that time
// if there is none.
func (v *SinglesView[K, L, R]) behind(s Side, at int64) (int64, error) {
	next, _, err := v.first(1-s, at+int64(s)) // at equal times the right side is first
	if err != nil {
		return 0, err
	}
	n := 0
	err = v.s.Range(v.from(s, at), v.upTo(s), false, func(key, _ []byte, _ int64) bool {
		if n++; n == 2 {
			next = min(next, singleAt(key))
		}
		return n < 2
	})
	if next == noTime {
		next = at
	}
	return next, err
}

// end is the time of a side's last entry, -1 if there is none. There is none before from.
func (v *SinglesView[K, L, R]) end(s Side, from int64) (at int64, err error) {
	if at = -1; from == noTime {
		return at, nil
	}
	err = v.s.Range(v.from(s, from), v.upTo(s), true, func(key, _ []byte, _ int64) bool {
		at = singleAt(key)
		return false
	})
	return at, err
}

// listLen is how many records an entry has.
func listLen(value []byte) uint32 {
	if len(value) < listHead {
		return 0
	}
	return binary.BigEndian.Uint32(value[1:])
}

// each calls fn for the records of an entry.
func (v *SinglesView[K, L, R]) each(key, value []byte, fn func(Single[K, L, R]) error) error {
	out := Single[K, L, R]{Side: Side(key[0]), Time: singleAt(key)}
	var err error
	if out.Key, err = v.d.key.Decode(key[singleHead:]); err != nil {
		return err
	}
	return eachListed(value, func(raw []byte) (err error) {
		if out.Side == Left {
			out.Left, err = v.d.left.Decode(raw)
		} else {
			out.Right, err = v.d.right.Decode(raw)
		}
		if err != nil {
			return err
		}
		return fn(out)
	})
}

// eachListed calls fn for the encoded records of an entry.
func eachListed(value []byte, fn func(raw []byte) error) error {
	n := listLen(value)
	for rest := value[min(len(value), listHead):]; n > 0; n-- {
		if len(rest) < 4 || uint64(len(rest)-4) < uint64(binary.BigEndian.Uint32(rest)) || binary.BigEndian.Uint32(rest) == 0 {
			return fmt.Errorf("list of records without a partner: %w", engine.ErrCorrupt)
		}
		size := binary.BigEndian.Uint32(rest)
		raw := rest[5 : 4+size]
		rest = rest[4+size:]
		if err := fn(raw); err != nil {
			return err
		}
	}
	return nil
}
