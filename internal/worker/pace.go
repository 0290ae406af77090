package worker

import (
	"slices"
	"time"
)

// catchUp is how many commit intervals a transaction may last while its tasks are far
// behind. The interval is a promise to who waits for the result of a record that has just
// been written. What waits behind a backlog waits for the backlog, which is the sooner done
// the fewer commits there are: each costs the brokers a marker for every partition of the
// transaction, and a key that changes again within it costs the changelog one record.
const catchUp = 4

// grace is for how much longer than the commit interval a transaction may last that is far
// behind.
func (w *Worker) grace() time.Duration {
	return max(0, min(catchUp*w.cfg.CommitInterval, w.cfg.TransactionTimeout/2)-w.cfg.CommitInterval)
}

// farBehind reports whether all tasks of the open transaction have records to process that
// are known, and the worker more of them than the longest transaction would bring down, at
// the pace of this one. What it has sent must not be more than may be on its way: that stays
// in memory until it is committed.
func (w *Worker) farBehind() bool {
	if w.p.bytes > int64(w.cfg.BufferBytes) || slices.ContainsFunc(w.touched, func(r *Run) bool { return r.Task.Left() == 0 }) {
		return false
	}
	left := catchUp * (w.processed.Load() - w.before)
	for r := range w.runs {
		if left -= r.Task.Left(); left < 0 {
			return true
		}
	}
	return false
}
