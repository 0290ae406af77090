package instance

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Progress is how far a store partition has been restored.
type Progress struct {
	Task      string
	Store     string
	Partition int32
	From      int64 // where in the changelog it began
	At        int64 // where it is
	To        int64 // where it will be done
	Records   int64
	Bytes     int64 // of keys and values
	Took      time.Duration
	Done      bool // or given up; it is not mentioned again
}

// Rate is how many records a second have been restored.
func (p Progress) Rate() float64 {
	if p.Took <= 0 {
		return 0
	}
	return float64(p.Records) / p.Took.Seconds()
}

// Left is how long the rest will take, at the pace so far; 0 if nothing is left, or
// nothing is known.
func (p Progress) Left() time.Duration {
	if p.At <= p.From {
		return 0
	}
	return time.Duration(float64(p.Took) * float64(p.To-p.At) / float64(p.At-p.From))
}

// progress is what is being restored.
type progress struct {
	records, bytes atomic.Int64 // since the start

	mu    sync.Mutex
	live  map[*replay]struct{}
	ended []Progress // since somebody was last told
}

// A level is what a replay lets others read.
type level struct {
	at, records, bytes atomic.Int64
}

func (p *progress) add(r *replay) {
	r.level.at.Store(r.from)
	r.level.records.Store(0)
	r.level.bytes.Store(0)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live == nil {
		p.live = map[*replay]struct{}{}
	}
	p.live[r] = struct{}{}
}

func (p *progress) remove(r *replay) {
	p.mu.Lock()
	defer p.mu.Unlock()
	done := r.progress()
	done.Done = true
	p.ended = append(p.ended, done)
	delete(p.live, r)
}

func (p *progress) advance(r *replay, records, bytes int) {
	r.level.at.Store(r.pos.Offset)
	r.level.records.Add(int64(records))
	r.level.bytes.Add(int64(bytes))
	p.records.Add(int64(records))
	p.bytes.Add(int64(bytes))
}

// progress may be called while r is live, and by its own goroutine.
func (r *replay) progress() Progress {
	return Progress{
		Task: r.slot.task.String(), Store: r.store.Namespace().Store, Partition: r.changelog.Partition, From: r.from, At: r.level.at.Load(), To: max(r.end, r.from),
		Records: r.level.records.Load(), Bytes: r.level.bytes.Load(), Took: time.Since(r.began),
	}
}

// now is what is being restored now, in order.
func (p *progress) now() []Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.liveLocked()
}

func (p *progress) liveLocked() (all []Progress) {
	for r := range p.live {
		all = append(all, r.progress())
	}
	slices.SortFunc(all, func(a, b Progress) int {
		return cmp.Or(cmp.Compare(a.Store, b.Store), cmp.Compare(a.Partition, b.Partition))
	})
	return all
}

// news is now, and what has ended since the last call.
func (p *progress) news() []Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := append(p.ended, p.liveLocked()...)
	p.ended = nil
	return all
}

const (
	progressInterval = time.Second
	progressLogEvery = 10 // intervals
)

// reportRestores tells of restores while there are any.
func (in *Instance) reportRestores(ctx context.Context) error {
	n := 0
	for range every(ctx, progressInterval) {
		all := in.restoring.news()
		if len(all) > 0 && in.cfg.OnRestore != nil {
			in.cfg.OnRestore(all)
		}
		live := slices.DeleteFunc(all, func(p Progress) bool { return p.Done })
		if len(live) == 0 {
			n = 0
		} else if n++; n%progressLogEvery == 0 {
			in.logRestores(live)
		}
	}
	return nil
}

func (in *Instance) logRestores(live []Progress) {
	var records, bytes, left int64
	var rate float64
	var eta time.Duration
	for _, p := range live {
		records, bytes, left = records+p.Records, bytes+p.Bytes, left+p.To-p.At
		rate, eta = rate+p.Rate(), max(eta, p.Left())
	}
	in.log.Info("restoring", "stores", len(live), "records", records, "bytes", bytes, "records_per_second", int64(rate), "offsets_left", left, "time_left", eta.Round(time.Second))
}
