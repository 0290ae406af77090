package worker

import (
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// levels are figures of a run that anybody may read.
type levels struct {
	ends  []atomic.Int64 // by source: the partition's end, as far as is known
	bytes []atomic.Int64 // by store: memory, as of the last commit
	busy  atomic.Int64   // ns that were spent with the task's records
}

func (l *levels) init(sources, stores int) {
	l.ends, l.bytes = make([]atomic.Int64, sources), make([]atomic.Int64, stores)
}

// Ends notes how far a partition is known to go.
func (l *levels) Ends(source int, end int64) {
	if end > l.ends[source].Load() {
		l.ends[source].Store(end)
	}
}

// Ends notes how far the partition of a source is known to go. It may be called
// from any goroutine, once the worker has the run.
func (r *Run) Ends(source int, end int64) { r.levels.Ends(source, end) }

// An Input is where a run stands with one of its partitions.
type Input struct {
	Topic     string
	Partition int32
	Source    int
	Position  int64 // committed, or where the run began
	End       int64
	Time      int64 // the greatest timestamp committed, in ms; -1 before the first
}

// Inputs are where the run stands, as of its last commit. It may be called from any
// goroutine, once the worker has the run.
func (r *Run) Inputs() []Input {
	points := r.Committed()
	var inputs []Input
	for i, fd := range r.Feeds {
		if fd == nil {
			continue
		}
		in := Input{fd.Topic, fd.Partition, i, fd.From, r.levels.ends[i].Load(), -1}
		for _, p := range points {
			if p.Topic == fd.Topic {
				in.Position, in.Time = p.Offset, p.Time
			}
		}
		in.End = max(in.End, in.Position)
		inputs = append(inputs, in)
	}
	return inputs
}

// Bytes is what a store of the run, by its place, takes in memory. It may be called
// from any goroutine, once the worker has the run.
func (r *Run) Bytes(store int) int64 { return r.levels.bytes[store].Load() }

// Busy is how long the worker has been processing the task's records, since it has the
// run. It may be called from any goroutine.
func (r *Run) Busy() time.Duration { return time.Duration(r.levels.busy.Load()) }

func (r *Run) subtopology() string { return strconv.Itoa(r.Task.Sub().ID) }

// A sample holds some of the timestamps that it is given, spread evenly: when it is
// full it lets go of every second one and takes half as many from then on.
type sample struct {
	stamps []int64
	every  int
	skip   int
}

const sampled = 32

func (s *sample) add(ms int64) {
	if s.skip > 0 {
		s.skip--
		return
	}
	if len(s.stamps) == sampled {
		for i := range sampled / 2 {
			s.stamps[i] = s.stamps[2*i]
		}
		s.stamps, s.every = s.stamps[:sampled/2], 2*s.every+1
	}
	s.stamps = append(s.stamps, ms)
	s.skip = s.every
}

// take returns the sample, which is valid until add is called, and begins another.
func (s *sample) take() []int64 {
	stamps := s.stamps
	s.stamps, s.every, s.skip = slices.Grow(s.stamps[:0], sampled), 0, 0
	return stamps
}
