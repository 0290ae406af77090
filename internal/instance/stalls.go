package instance

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/leatstream/leat/internal/changelog"
	"github.com/leatstream/leat/internal/pulse"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/worker"
)

// pulses are those of all goroutines that run code of the application: the workers', for
// as long as they work, and others' while they open a task or take in records.
type pulses struct {
	mu     sync.Mutex // held over no call
	live   map[*pulse.Pulse]struct{}
	stalls map[*pulse.Pulse]*pulse.Stall
}

func (ps *pulses) add(p *pulse.Pulse) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.live == nil {
		ps.live = map[*pulse.Pulse]struct{}{}
	}
	ps.live[p] = struct{}{}
}

func (ps *pulses) remove(p *pulse.Pulse) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	delete(ps.live, p)
}

// all are those that are live.
func (ps *pulses) all() map[*pulse.Pulse]struct{} {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return maps.Clone(ps.live)
}

// enter says that the calling goroutine runs code until it calls the returned function.
func (ps *pulses) enter(where pulse.Where) (p *pulse.Pulse, leave func()) {
	p = new(pulse.Pulse)
	p.Begin()
	p.Enter(&where)
	ps.add(p)
	return p, func() { ps.remove(p) }
}

// look runs code that looks at what a store holds, before there is a record.
func (ps *pulses) look(owner, store string, code func() error) error {
	_, leave := ps.enter(func() task.Error { return task.Error{Task: owner, Node: store} })
	defer leave()
	return code()
}

// each yields the records of a batch to code, which is at that place with them.
func (ps *pulses) each(place task.Error, b changelog.Batch) iter.Seq[changelog.Record] {
	return func(yield func(changelog.Record) bool) {
		if len(b.Records) == 0 {
			return
		}
		var at atomic.Int64
		p, leave := ps.enter(func() task.Error {
			e := place
			e.Offset = at.Load()
			return e
		})
		defer leave()
		for _, r := range b.Records {
			at.Store(r.Offset)
			p.Answer()
			if !yield(r) {
				return
			}
		}
	}
}

// inCode are the places of code that runs now, in order.
func (ps *pulses) inCode() (places []string) {
	for p := range ps.all() {
		if place, ok := p.Code(); ok {
			places = append(places, place)
		}
	}
	slices.Sort(places)
	return places
}

// note takes in what stands still; nil is the end of a stall.
func (ps *pulses) note(p *pulse.Pulse, s *pulse.Stall) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.stalls == nil {
		ps.stalls = map[*pulse.Pulse]*pulse.Stall{}
	}
	if ps.stalls[p] = s; s == nil {
		delete(ps.stalls, p)
	}
}

// stands reports whether a goroutine stood still when it was last looked at.
func (ps *pulses) stands(p *pulse.Pulse) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.stalls[p] != nil
}

// stalled is what stands still.
func (ps *pulses) stalled() []*pulse.Stall {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return slices.Collect(maps.Values(ps.stalls))
}

// watchStalls looks for code that does not return: its partitions would wait for
// ever, since the member's heartbeats go on.
func (in *Instance) watchStalls(ctx context.Context) error {
	if in.cfg.StallTimeout <= 0 {
		return nil
	}
	watches := map[*pulse.Pulse]*pulse.Watch{}
	for range every(ctx, in.cfg.StallTimeout/4) {
		live := in.pulses.all()
		for p := range live {
			if watches[p] == nil {
				watches[p] = p.Watch()
			}
			if s, news := watches[p].Look(in.cfg.StallTimeout); news {
				in.stalled(p, s)
			}
		}
		maps.DeleteFunc(watches, func(p *pulse.Pulse, _ *pulse.Watch) bool {
			_, there := live[p]
			if !there && in.pulses.stands(p) {
				in.stalled(p, nil)
			}
			return !there
		})
	}
	return nil
}

// beating is what a worker runs, with its pulse among the others.
func (in *Instance) beating(w *worker.Worker) func(context.Context) error {
	return func(ctx context.Context) error {
		in.pulses.add(w.Pulse())
		defer in.pulses.remove(w.Pulse())
		return w.Run(ctx)
	}
}

// stalled notes that a goroutine has stalled; nil is the end of that.
func (in *Instance) stalled(p *pulse.Pulse, s *pulse.Stall) {
	in.pulses.note(p, s)
	if s == nil {
		in.log.Info("code that had not returned has gone on")
		return
	}
	in.log.Error("code does not return; its partitions, and those of the tasks beside it, wait", "where", s.String(),
		"task", s.Where.Task, "node", s.Where.Node, "topic", s.Where.Topic, "partition", s.Where.Partition, "offset", s.Where.Offset,
		"since", s.Since, "stack", string(s.Stack))
}
