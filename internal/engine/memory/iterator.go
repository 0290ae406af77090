package memory

import (
	"errors"

	"github.com/tidwall/btree"
)

// An iterator walks over a snapshot. It copies key and value into buffers of
// its own, so that a caller that keeps or changes them harms only itself.
type iterator struct {
	engine  *Engine
	cursor  btree.IterG[entry]
	lo, hi  entry
	open    bool // there is no hi
	reverse bool
	started bool
	ended   bool // the cursor, moved on from the end, would begin anew
	closed  bool
	key     []byte
	value   []byte
}

func (it *iterator) Next() bool {
	if it.closed || it.ended {
		return false
	}
	if it.ended = !it.step() || !it.within(it.cursor.Item()); it.ended {
		return false
	}
	at := it.cursor.Item()
	it.key = append(it.key[:0], at.key()...)
	it.value = append(it.value[:0], at.value()...)
	return true
}

func (it *iterator) step() bool {
	first := !it.started
	it.started = true
	switch {
	case first && it.reverse:
		return it.last()
	case first:
		return it.cursor.Seek(it.lo)
	case it.reverse:
		return it.cursor.Prev()
	default:
		return it.cursor.Next()
	}
}

// last moves to the greatest key below hi.
func (it *iterator) last() bool {
	if !it.open && it.cursor.Seek(it.hi) {
		return it.cursor.Prev()
	}
	return it.cursor.Last()
}

func (it *iterator) within(e entry) bool {
	return !e.less(it.lo) && (it.open || e.less(it.hi))
}

func (it *iterator) Key() []byte   { return it.key }
func (it *iterator) Value() []byte { return it.value }

func (it *iterator) Close() error {
	if it.closed {
		return errors.New("memory engine: iterator closed twice")
	}
	it.closed = true
	it.engine.iterators.Add(-1)
	return nil
}
