package changelog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/internal/kafka"
)

const (
	// askTimeout bounds what Run asks of brokers about one or a few
	// partitions: the others wait in the meantime.
	askTimeout = 5 * time.Second

	// gonePatience is how long a topic must be unknown to be taken for deleted:
	// a broker that has just started may not know of it yet.
	gonePatience = 10 * time.Second
)

// A run is one call of Run. Its own goroutine, the caller's, finds leaders and
// judges what the leaders' loops send back.
type run struct {
	*Reader
	apply   func(Batch) error
	fail    context.CancelCauseFunc // ends the run with an error
	parts   []*part                 // those that look for a leader
	left    int                     // how many are not done
	byNode  map[int32]*leader
	nodes   atomic.Int32   // how many there are
	back    chan []*part   // from the apply loops; has room for all parts, so they never wait
	leaders sync.WaitGroup // their loops
}

func newRun(r *Reader, fail context.CancelCauseFunc, targets []Target, apply func(Batch) error) (*run, error) {
	run := &run{
		Reader: r, apply: apply, fail: fail,
		byNode: map[int32]*leader{},
		back:   make(chan []*part, len(targets)),
	}
	seen := map[partKey]bool{}
	for _, t := range targets {
		p := newPart(t)
		if seen[p.key()] {
			return nil, fmt.Errorf("changelog %s is a target twice", t.TopicPartition)
		}
		seen[p.key()] = true
		switch {
		case t.From > t.Until:
			return nil, &TruncatedError{t.TopicPartition, t.From, t.Until}
		case t.From == t.Until:
			if err := apply(Batch{TopicPartition: t.TopicPartition, Next: t.Until, End: t.Until}); err != nil {
				return nil, err
			}
		default:
			run.parts = append(run.parts, p)
		}
	}
	run.left = len(run.parts)
	return run, nil
}

func (r *run) loop(ctx context.Context) error {
	search := time.NewTimer(0)
	defer search.Stop()
	for r.left > 0 {
		select {
		case parts := <-r.back:
			for _, p := range parts {
				if err := r.judge(ctx, p); err != nil {
					return err
				}
			}
		case <-search.C:
			if err := r.place(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if wait, ok := r.pause(); ok {
			search.Reset(wait)
		} else {
			search.Stop()
		}
	}
	return nil
}

// pause is how long to wait before leaders are looked for, if there is need.
func (r *run) pause() (time.Duration, bool) {
	failures := 0
	for _, p := range r.parts {
		failures = max(failures, p.failures)
	}
	return kafka.Backoff(failures), len(r.parts) > 0
}

// judge decides about a part that has come back.
func (r *run) judge(ctx context.Context, p *part) error {
	if errors.Is(p.err, kerr.OffsetOutOfRange) {
		if err := r.outOfRange(ctx, p); err != nil {
			return err
		}
	}
	if err := p.verdict(); err != nil {
		return err
	}
	if p.done() {
		r.left--
		return nil
	}
	r.report(p)
	r.parts = append(r.parts, p)
	return nil
}

// outOfRange finds out on which side. If on none the leader was not one, or the
// log has moved since: then the part goes on.
func (r *run) outOfRange(ctx context.Context, p *part) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	tps := []kafka.TopicPartition{p.TopicPartition}
	start, end, err := kafka.Bounds(ctx, r.cl, kafka.Latest, tps)
	if err != nil {
		p.err = err
		return nil
	}
	if lowest := start[p.TopicPartition]; p.next < lowest {
		return &OutOfRangeError{p.TopicPartition, p.next, lowest}
	}
	if highest := end[p.TopicPartition]; p.next > highest {
		return &TruncatedError{p.TopicPartition, p.next, highest}
	}
	return nil
}

// place hands the parts to their leaders' loops and keeps those without leader.
func (r *run) place(ctx context.Context) error {
	names := map[string]bool{}
	for _, p := range r.parts {
		names[p.Topic] = true
	}
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	topics, err := kafka.Describe(asking, r.cl, slices.Collect(maps.Keys(names)))
	cancel()
	found := map[int32][]*part{}
	var still []*part
	for _, p := range r.parts {
		if err != nil {
			p.fail(err)
		} else if gone := r.locate(p, topics[p.Topic]); gone != nil {
			return gone
		}
		if err := p.verdict(); err != nil {
			return err
		}
		if p.err != nil {
			r.report(p)
			still = append(still, p)
			continue
		}
		node := topics[p.Topic].Leaders[p.Partition].Node
		found[node] = append(found[node], p)
	}
	r.parts = still
	for node, parts := range found {
		r.leader(ctx, node).in <- parts
	}
	return nil
}

// locate takes the leader's epoch from t, or notes what is missing.
func (r *run) locate(p *part, t kafka.Topic) error {
	known := t.Exists && p.Partition < t.Partitions
	switch {
	case t.Exists && t.ID != p.TopicID:
		return &RecreatedError{p.TopicPartition, p.TopicID, t.ID}
	case known && t.Leaders[p.Partition].Node < 0:
		p.fail(errNoLeader)
	case known:
		p.epoch, p.goneSince, p.err = t.Leaders[p.Partition].Epoch, time.Time{}, nil
	case p.goneSince.IsZero():
		p.goneSince = time.Now()
		p.fail(errNoTopic)
	case time.Since(p.goneSince) >= gonePatience:
		return &RecreatedError{TopicPartition: p.TopicPartition, Meant: p.TopicID}
	default:
		p.fail(errNoTopic)
	}
	return nil
}

// report tells of p if it has stalled.
func (r *run) report(p *part) {
	if !p.stalled(r.cfg.StallEvery) {
		return
	}
	p.told = time.Now()
	r.cfg.Stalled(Stall{p.TopicPartition, time.Since(p.moved), p.next, p.Until, p.stable, p.end, p.err})
}

// leader returns the loops of a broker, which live as long as the run.
func (r *run) leader(ctx context.Context, node int32) *leader {
	l := r.byNode[node]
	if l == nil {
		l = &leader{run: r, node: node, in: make(chan []*part, cap(r.back)), out: make(chan round)}
		r.byNode[node] = l
		r.nodes.Add(1)
		r.leaders.Go(func() { l.fetchLoop(ctx) })
		r.leaders.Go(func() { l.applyLoop(ctx) })
	}
	return l
}
