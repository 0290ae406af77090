package sim

import (
	"math"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/internal/task"
)

// A Partition is one log.
type Partition struct {
	Topic   string
	Number  int32
	Entries []Entry // by offset

	open      map[int64]int64         // the first offset of each open transaction, by producer
	producers map[int64]producerState // what the leader knows of them
}

// An Entry is a record, or a transaction's marker.
type Entry struct {
	task.Output
	Marker bool
	Txn    *Txn // nil: written without a transaction
	ended  bool // the marker of its transaction is there
}

type producerState struct {
	epoch int16
	next  int   // sequence number
	base  int64 // of the last batch
}

func newPartition(topic string, number int32) *Partition {
	return &Partition{Topic: topic, Number: number, open: map[int64]int64{}, producers: map[int64]producerState{}}
}

// End is the high watermark.
func (p *Partition) End() int64 { return int64(len(p.Entries)) }

// Stable is the last stable offset.
func (p *Partition) Stable() int64 {
	end := int64(math.MaxInt64)
	for _, first := range p.open {
		end = min(end, first)
	}
	return min(end, p.End())
}

// A Record is a committed record with its offset.
type Record struct {
	Entry
	Offset int64
}

// Read returns the committed records from an offset on, as a consumer gets them, and
// the offset behind all that was passed.
func (p *Partition) Read(from int64, most int) (records []Record, after int64) {
	after = from
	for end := p.Stable(); after < end && most > 0; after++ {
		e := p.Entries[after]
		if most--; !e.Marker && (e.Txn == nil || e.Txn.Outcome == Committed) {
			records = append(records, Record{e, after})
		}
	}
	return records, after
}

// Decided returns the records below an offset of transactions that have committed,
// whether all markers are there or not.
func (p *Partition) Decided(below int64) (records []Record) {
	for i, e := range p.Entries[:min(below, p.End())] {
		if !e.Marker && (e.Txn == nil || e.Txn.Outcome == Committed) {
			records = append(records, Record{e, int64(i)})
		}
	}
	return records
}

// check is what the leader checks of a batch. A batch that is there already is known.
func (p *Partition) check(id int64, epoch int16, sequence, records int) (known bool, err error) {
	st, any := p.producers[id]
	switch {
	case any && epoch < st.epoch:
		return false, kerr.InvalidProducerEpoch
	case !any || epoch > st.epoch:
		if sequence != 0 {
			return false, kerr.OutOfOrderSequenceNumber
		}
	case sequence+records <= st.next:
		return true, nil
	case sequence != st.next:
		return false, kerr.OutOfOrderSequenceNumber
	}
	return false, nil
}

func (p *Partition) append(t *Txn, epoch int16, sequence int, outs []task.Output) {
	if _, any := p.open[t.producer]; !any {
		p.open[t.producer] = p.End()
	}
	for _, o := range outs {
		p.Entries = append(p.Entries, Entry{Output: o, Txn: t})
	}
	p.producers[t.producer] = producerState{epoch, sequence + len(outs), p.End() - int64(len(outs))}
}

// mark writes the marker of a transaction.
func (p *Partition) mark(t *Txn) {
	delete(p.open, t.producer)
	p.producers[t.producer] = producerState{epoch: t.bumped}
	p.Entries = append(p.Entries, Entry{Marker: true, Txn: t})
}
