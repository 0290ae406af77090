package engine

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"iter"
	"slices"
	"sync"
)

// An item is an op by its number. Most are told apart by a part of their keys, without a
// look at them.
type item struct {
	part  uint64 // the first eight bytes behind what all keys begin with
	index int32
}

var orders = sync.Pool{New: func() any { return new([]item) }}

// InOrder goes through ops by their numbers in the order of their keys, of those of one
// key the last one alone: what is left to do once all are done. The ops are of one
// namespace, and none is a DeleteBelow.
func InOrder(ops []Op) iter.Seq[int] {
	return func(yield func(int) bool) {
		order := orders.Get().(*[]item)
		defer orders.Put(order)
		*order = sorted((*order)[:0], ops)
		for n, it := range *order {
			if n+1 < len(*order) && bytes.Equal(ops[it.index].Key, ops[(*order)[n+1].index].Key) {
				continue
			}
			if !yield(int(it.index)) {
				return
			}
		}
	}
}

func sorted(items []item, ops []Op) []item {
	items = slices.Grow(items, len(ops))
	common := commonPrefix(ops)
	for i := range ops {
		items = append(items, item{part(ops[i].Key[common:]), int32(i)})
	}
	slices.SortFunc(items, func(x, y item) int {
		if x.part != y.part {
			return cmp.Compare(x.part, y.part)
		}
		if c := bytes.Compare(ops[x.index].Key[common:], ops[y.index].Key[common:]); c != 0 {
			return c
		}
		return cmp.Compare(x.index, y.index)
	})
	return items
}

// part is the first eight bytes of key as a number that is ordered as they are. A
// shorter key is filled up with zeros: then others may have the same number.
func part(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}

// commonPrefix is how many bytes all keys begin with.
func commonPrefix(ops []Op) int {
	if len(ops) == 0 {
		return 0
	}
	n := len(ops[0].Key)
	for i := range ops[1:] {
		key := ops[1+i].Key
		n = min(n, len(key))
		for !bytes.Equal(key[:n], ops[0].Key[:n]) {
			n--
		}
	}
	return n
}

// Run returns the number of the first ops that are of one namespace.
func Run(ops []Op) int {
	for i := range ops {
		if ops[i].NS != ops[0].NS {
			return i
		}
	}
	return len(ops)
}
