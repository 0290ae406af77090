package worker

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/task"
)

// Brokers refuse records one batch at a time, when their transaction has long gone on:
// what is refused must be traced to the record that caused it. If all that was refused
// comes from one record, that is the one. If it does not (a batch holds results of
// many, and most are innocent), the tasks do what they did once more, one record in
// each transaction, until it is known. A record that is found fails when its turn
// comes again, before any code sees it, and the policy answers.

// An origin is the record that an output comes from.
type origin struct {
	run *Run
	culprit
}

// A culprit is a record of a source.
type culprit struct {
	source int
	offset int64
}

// refusals are what brokers have refused of a transaction.
type refusals struct {
	origins []origin // of what was sent, in order; none if nothing may be refused

	mu      sync.Mutex // promises are called by the client
	records []*kgo.Record
	err     *task.ProduceError
}

func (r *refusals) add(rec *kgo.Record, err *task.ProduceError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records = append(r.records, rec)
	r.err = err
}

// blame finds out whose fault it is that the brokers refused records, and reports
// whether the transaction may be done again in the light of that. The producer has been
// flushed.
func (w *Worker) blame(f *failure) bool {
	x := &w.p.refusals
	x.mu.Lock()
	defer x.mu.Unlock()
	if w.cfg.Produce == task.Fail || len(x.records) == 0 || !kafka.Refused(f.err) {
		return false
	}
	culprits := map[origin]bool{}
	for _, rec := range x.records {
		o := x.origins[w.p.slab.index(rec)]
		if o.source < 0 || !o.run.Task.Passable(rec.Topic) {
			return false
		}
		culprits[o] = true
	}
	for o := range culprits {
		if len(culprits) > 1 {
			o.run.careful = o.run.Task.Points()
			continue
		}
		if o.run.refused == nil {
			o.run.refused = map[culprit]*task.ProduceError{}
		}
		o.run.refused[o.culprit] = x.err
		w.cfg.Log.Warn("the brokers refuse what a record causes; the policy answers", "task", o.run.Task.ID(),
			"topic", o.run.Feeds[o.source].Topic, "partition", o.run.Task.Partition(), "offset", o.offset, "policy", w.cfg.Produce, "err", x.err)
	}
	return true
}

// Inherit gives r what was found out of a run of the same task before: which records
// the brokers refuse, or how far to look for them.
func (r *Run) Inherit(old *Run) {
	r.careful, r.refused = old.careful, old.refused
	for c, err := range r.refused {
		if c.offset < r.Feeds[c.source].From { // the policy has answered
			delete(r.refused, c)
			continue
		}
		r.Task.Refuse(c.source, c.offset, err)
	}
}

// cautious returns the task that has to process one record in each transaction, if
// there is one that can: nobody waits for one that waits itself.
func (w *Worker) cautious(now time.Time) *Run {
	for _, r := range w.active {
		if r.careful == nil || r.paused.Load() {
			continue
		}
		if ready, _ := r.Task.Ready(now.UnixMilli()); !ready {
			continue
		}
		behind := false
		for i, p := range r.Task.Points() {
			behind = behind || p.Offset < r.careful[i].Offset
		}
		if behind {
			return r
		}
		r.careful = nil
	}
	return nil
}
