package worker

import (
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/fetch"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/member"
	"github.com/leatstream/leat/internal/pulse"
	"github.com/leatstream/leat/internal/task"
)

// A Run is a task from when it is given to a worker until it is taken away. The
// worker owns all of it.
type Run struct {
	Task  *task.Task
	Claim member.Claim  // by which the task is owned
	Tag   any           // the giver's, given back with the run
	Feeds []*fetch.Feed // by source; nil where the task has no such partition

	Begins []task.Point // where the inputs begin if the group does not know of one of them yet; else nil

	points atomic.Pointer[[]task.Point] // as last committed
	levels levels
	paused atomic.Bool
	where  pulse.Where // its code is

	queued  bool         // in the worker's list of tasks with records
	timed   bool         // in the worker's list of tasks with wall-clock timers
	touched bool         // in the open transaction
	last    []sent       // by store: the last changelog record of the transaction
	behind  int64        // changelog bytes that the engine does not have
	waits   [][]taken    // by source: batches that are not all processed
	yields  *fetch.Feed  // the group's feed that asked for what waits; nil: none did
	until   time.Time    // then it gets it, whatever could be processed
	careful []task.Point // up to there, one record in each transaction: see blame
	stamps  sample       // timestamps of the open transaction's records

	refused map[culprit]*task.ProduceError // records whose results the brokers refuse
}

// A taken is what of a batch waits in the task's queue.
type taken struct {
	records int
	bytes   int64
}

// Committed returns where the task's inputs stood at its last commit. It may be
// called from any goroutine.
func (r *Run) Committed() []task.Point {
	if p := r.points.Load(); p != nil {
		return *p
	}
	return nil
}

// Progressed reports whether the task has committed anything beyond where it began.
func (r *Run) Progressed() bool {
	for _, p := range r.Committed() {
		for _, fd := range r.Feeds {
			if fd != nil && fd.Topic == p.Topic && p.Offset > fd.From {
				return true
			}
		}
	}
	return false
}

// offsetOf is the offset of a source topic's point; ok is false where the topic has
// no partition for the task.
func (r *Run) offsetOf(points []task.Point, topic task.Topic) (offset int64, ok bool) {
	name := topic.Resolve(r.Task.App())
	for _, p := range points {
		if p.Topic == name {
			return p.Offset, true
		}
	}
	return 0, false
}

// addOffsets adds where the task's inputs stand, as the broker is told.
func (r *Run) addOffsets(offsets map[kafka.TopicPartition]kafka.Committed, points []task.Point) {
	for _, p := range points {
		tp := kafka.TopicPartition{Topic: p.Topic, Partition: r.Task.Partition()}
		offsets[tp] = kafka.Committed{Offset: p.Offset, LeaderEpoch: p.Epoch, Metadata: p.Metadata}
	}
}

// await remembers a batch until its records are processed.
func (r *Run) await(b fetch.Batch, records int) {
	if records == 0 {
		b.Feed.Done(b.Bytes)
		return
	}
	s := b.Feed.Source
	r.waits[s] = append(r.waits[s], taken{records, b.Bytes})
}

// settleFeeds tells the feeds how much of their batches has been processed.
func (r *Run) settleFeeds() {
	r.Task.LetGo()
	for s, waits := range r.waits {
		done := -r.Task.Queued(s)
		for _, t := range waits {
			done += t.records
		}
		var bytes int64
		for done > 0 && done >= waits[0].records {
			done -= waits[0].records
			bytes += waits[0].bytes
			waits = waits[1:]
		}
		if done > 0 {
			part := waits[0].bytes * int64(done) / int64(waits[0].records)
			waits[0].records -= done
			waits[0].bytes -= part
			bytes += part
		}
		if bytes > 0 {
			r.Feeds[s].Done(bytes)
		}
		r.waits[s] = append(r.waits[s][:0], waits...)
	}
}

// yield gives what waits back to the fetcher, which has asked for it, unless it can be
// processed soon.
func (r *Run) yield(now time.Time) {
	if ready, _ := r.Task.Ready(now.UnixMilli()); ready && !r.paused.Load() && now.Before(r.until) {
		return
	}
	group := r.yields.Group()
	from := make([]int64, len(group))
	for i, fd := range group {
		at, ok := r.Task.Return(fd.Source)
		if from[i] = at; !ok {
			from[i] = -1
		}
	}
	r.settleFeeds() // nothing is queued any more
	r.yields.Yield(from)
	r.yields = nil
}

// message converts a consumed record; it shares its bytes.
func message(r *kgo.Record) task.Message {
	m := task.Message{Key: r.Key, Value: r.Value, Time: r.Timestamp.UnixMilli(), Offset: r.Offset, Epoch: r.LeaderEpoch}
	if len(r.Headers) > 0 {
		m.Headers = make([]task.Header, len(r.Headers))
		for i, h := range r.Headers {
			m.Headers[i] = task.Header(h)
		}
	}
	return m
}

// fill makes dst what o says.
func fill(dst *kgo.Record, o *task.Output) {
	dst.Topic, dst.Partition, dst.Key, dst.Value, dst.Timestamp = o.Topic, o.Partition, o.Key, o.Value, stamp(o.Time)
	if len(o.Headers) > 0 {
		dst.Headers = make([]kgo.RecordHeader, len(o.Headers))
		for i, h := range o.Headers {
			dst.Headers[i] = kgo.RecordHeader(h)
		}
	}
}
