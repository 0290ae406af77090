package worker

import (
	"math"
	"slices"
)

// The memory that state may take belongs to all stores of the process in equal shares. A
// worker gives the shares of its stores to those that have use for them: beside a
// thousand idle ones, the few that work would else be told to forget all they have at
// every commit.

// weigh brings what the worker's stores hold up to date with those of a run.
func (w *Worker) weigh(r *Run) {
	for i, s := range r.Task.Stores() {
		now := s.State.Bytes()
		w.held += now - r.levels.bytes[i].Swap(now)
	}
}

// unweigh forgets what the stores of a run hold.
func (w *Worker) unweigh(r *Run) {
	for i := range r.levels.bytes {
		w.held -= r.levels.bytes[i].Load()
	}
	w.stores -= len(r.levels.bytes)
}

// allowance is what the worker's stores may hold together. They leave to the producer what
// it takes, but for a third: with few records on their way, because reading the engine is
// what takes time, they have nearly all.
func (w *Worker) allowance() int64 {
	all := w.cfg.CacheBytes.Load() * int64(w.stores)
	return max(all-w.p.slab.bytes(), all/3)
}

// tight reports whether they hold more.
func (w *Worker) tight() bool { return w.held > w.allowance() }

// evict makes room, so that it is some time until things are tight again. What is not
// in the engine stays.
func (w *Worker) evict() {
	room := w.allowance() / 4 * 3
	if w.held <= room {
		return
	}
	w.sizes = w.sizes[:0]
	for r := range w.runs {
		for _, s := range r.Task.Stores() {
			w.sizes = append(w.sizes, s.State.Bytes())
		}
	}
	slices.Sort(w.sizes)
	limit := level(w.sizes, room)
	for r := range w.runs {
		for _, s := range r.Task.Stores() {
			s.State.Evict(limit)
		}
		w.weigh(r)
	}
}

// level is how large each of some sizes may be, for all of them to be no more than room
// together: small ones stay as they are.
func level(ascending []int64, room int64) int64 {
	for i, size := range ascending {
		rest := int64(len(ascending) - i)
		if size > room/rest {
			return room / rest
		}
		room -= size
	}
	return math.MaxInt64
}
