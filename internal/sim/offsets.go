package sim

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/internal/kafka"
)

// offsets are those that the group has committed, and those of open transactions.
type offsets struct {
	s         *Sim
	committed map[kafka.TopicPartition]written
	pending   []pending // in the order they were written
	count     int
}

// A written offset knows its place in the log of offsets: the later one holds, in
// whatever order the markers come.
type written struct {
	kafka.Committed
	at int
}

type pending struct {
	txn     *Txn
	at      int
	offsets map[kafka.TopicPartition]kafka.Committed
}

// add writes the offsets of an open transaction.
func (o *offsets) add(t *Txn, of map[kafka.TopicPartition]kafka.Committed) {
	o.count++
	o.pending = append(o.pending, pending{t, o.count, of})
}

// commit writes offsets without a transaction.
func (o *offsets) commit(of map[kafka.TopicPartition]kafka.Committed) {
	o.count++
	o.set(of, o.count)
}

// mark ends a transaction's offsets.
func (o *offsets) mark(t *Txn) {
	for _, p := range o.pending {
		if p.txn == t && t.Outcome == Committed {
			o.set(p.offsets, p.at)
		}
	}
	o.pending = slices.DeleteFunc(o.pending, func(p pending) bool { return p.txn == t })
}

// set makes offsets the committed ones. None ever goes back: that would be records
// processed again.
func (o *offsets) set(of map[kafka.TopicPartition]kafka.Committed, at int) {
	for tp, c := range of {
		have, any := o.committed[tp]
		if any && have.at > at {
			continue
		}
		if any && c.Offset < have.Offset {
			o.s.Fail("the committed offset of %v goes back from %d to %d", tp, have.Offset, c.Offset)
		}
		o.committed[tp] = written{c, at}
	}
}

// Committed is what the group has committed of a partition.
func (o *offsets) Committed(tp kafka.TopicPartition) (c kafka.Committed, ok bool) {
	w, ok := o.committed[tp]
	return w.Committed, ok
}

// Decided is what the group has committed of a partition, or has to: the transaction has
// committed, and its marker is yet to come.
func (o *offsets) Decided(tp kafka.TopicPartition) int64 {
	decided := o.committed[tp]
	for _, p := range o.pending {
		if c, any := p.offsets[tp]; any && p.txn.Outcome == Committed && p.at > decided.at {
			decided = written{c, p.at}
		}
	}
	return decided.Offset
}

// fetch is OffsetFetch. A stable one is refused while a transaction on any of the
// partitions is open.
func (o *offsets) fetch(tps []kafka.TopicPartition, stable bool) (map[kafka.TopicPartition]kafka.Committed, error) {
	found := map[kafka.TopicPartition]kafka.Committed{}
	for _, tp := range tps {
		for _, p := range o.pending {
			if _, any := p.offsets[tp]; any && stable {
				return nil, kerr.UnstableOffsetCommit
			}
		}
		if c, ok := o.Committed(tp); ok {
			found[tp] = c
		}
	}
	return found, nil
}
