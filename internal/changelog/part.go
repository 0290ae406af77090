package changelog

import (
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A part is a target on its way. It belongs to one goroutine at a time and
// moves by being sent:
//
//	Run --(found its leader)--> fetch loop --(with the answers)--> apply loop --(done, in trouble or stalled)--> Run
//
// It takes the way of its batches, so that none is left behind when another
// leader's loops get it.
type part struct {
	Target
	next      int64     // the position: the next offset to ask for
	stable    int64     // the last stable offset as last seen, or -1
	end       int64     // the high watermark as last seen, or -1
	epoch     int32     // of the leader that is asked
	moved     time.Time // when it was last where it should be, or on its way
	told      time.Time // when a stall was last looked at
	failures  int       // in a row
	goneSince time.Time // since when the topic is unknown, or zero
	err       error     // why it is not being read, or nil
}

func newPart(t Target) *part {
	now := time.Now()
	return &part{Target: t, next: t.From, stable: -1, end: -1, moved: now, told: now}
}

func (p *part) done() bool { return p.next >= p.Until }

// behind says whether there may be something to read.
func (p *part) behind() bool { return p.stable < 0 || p.next < p.stable }

// leaves says whether the part is to go back to Run.
func (p *part) leaves(stallEvery time.Duration) bool {
	return p.done() || p.err != nil || p.stalled(stallEvery)
}

// stalled says whether it is time to look at why the part does not move.
func (p *part) stalled(every time.Duration) bool {
	return time.Since(p.moved) >= every && time.Since(p.told) >= every
}

func (p *part) fail(err error) {
	p.err = err
	p.failures++
}

// take looks at what a broker sent and moves the position. ok says whether there
// is something to apply. It decodes no more than it must to find its way: whether
// the records are sound turns out when they are applied.
func (p *part) take(sent *kmsg.FetchResponseTopicPartition) (a answer, ok bool) {
	if err := kerr.ErrorForCode(sent.ErrorCode); err != nil {
		p.fail(err)
		return a, false
	}
	n, next := whole(sent.RecordBatches, p.next, sent.LastStableOffset, p.Until)
	a = answer{
		TopicPartition: p.TopicPartition,
		raw:            sent.RecordBatches[:n],
		aborted:        sent.AbortedTransactions,
		from:           p.next,
		until:          p.Until,
		next:           next,
		end:            sent.HighWatermark,
	}
	moved := a.next > p.next
	p.next, p.stable, p.end, p.failures = a.next, sent.LastStableOffset, a.end, 0
	confirmed := p.Until == Forever && p.next >= p.end
	if moved || confirmed {
		p.moved = time.Now()
	}
	return a, moved || confirmed
}

// verdict returns the error that ends the run, if the part's is one.
func (p *part) verdict() error {
	if p.err == nil {
		return nil
	}
	if !passing(p.err) && !errors.Is(p.err, kerr.OffsetOutOfRange) {
		return &PartitionError{p.TopicPartition, p.next, p.err}
	}
	return nil
}
