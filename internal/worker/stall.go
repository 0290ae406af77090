package worker

import (
	"bytes"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/leatstream/leat/internal/task"
)

// A pulse shows from outside whether the worker gets on. It costs the worker a load
// for each record: only when somebody asks does it answer.
type pulse struct {
	goroutine atomic.Int64
	run       atomic.Pointer[Run] // whose code runs; nil elsewhere
	asked     atomic.Bool
	beats     atomic.Int64
}

// begin is called by the worker's goroutine.
func (p *pulse) begin() { p.goroutine.Store(goroutineID()) }

// answer says that the worker gets on, if somebody has asked.
func (p *pulse) answer() {
	if p.asked.Load() {
		p.asked.Store(false)
		p.beats.Add(1)
	}
}

// enter says that the code of a task runs until the returned function is called.
func (w *Worker) enter(r *Run) (leave func()) {
	w.pulse.run.Store(r)
	w.pulse.beats.Add(1)
	return w.leave
}

func (w *Worker) leave() {
	w.pulse.run.Store(nil)
	w.pulse.beats.Add(1)
}

// UserCode says in which task's code the worker is, if it is in any's. It may be
// called from any goroutine.
func (w *Worker) UserCode() (place string, ok bool) {
	r := w.pulse.run.Load()
	if r == nil {
		return "", false
	}
	e := r.Task.Peek()
	return e.Place(), true
}

// A Stall is code that does not return.
type Stall struct {
	Where task.Error // without a cause; the zero value if it is not a task's code
	Since time.Time
	Stack []byte // of the worker's goroutine
}

func (s *Stall) String() string {
	if s.Where.Task == "" {
		return "a worker, outside of any task"
	}
	return s.Where.Place()
}

// A Watch looks at a worker from outside. It belongs to one goroutine.
type Watch struct {
	w     *Worker
	run   *Run
	beats int64
	since time.Time
	told  *Stall
}

// Watch returns a watch of the worker.
func (w *Worker) Watch() *Watch { return &Watch{w: w, since: time.Now()} }

// Look returns the stall that the worker is in: code that has not returned, and not
// begun with another record, for longer than the time-out. news reports whether that
// was otherwise when Look was last called. It has to be called more often than once
// in the time-out.
func (t *Watch) Look(timeout time.Duration) (s *Stall, news bool) {
	run, beats := t.w.pulse.run.Load(), t.w.pulse.beats.Load()
	_, share, _ := t.w.shares.read()
	if share != Busy || run != t.run || beats != t.beats {
		t.run, t.beats, t.since = run, beats, time.Now()
	}
	t.w.pulse.asked.Store(true)
	before := t.told
	switch stalled := share == Busy && time.Since(t.since) >= timeout; {
	case !stalled:
		t.told = nil
	case t.told == nil:
		t.told = t.stall()
	}
	return t.told, t.told != before
}

func (t *Watch) stall() *Stall {
	s := &Stall{Since: t.since, Stack: stack(t.w.pulse.goroutine.Load())}
	if t.run != nil {
		s.Where = t.run.Task.Peek()
	}
	return s
}

// goroutineID is the number of the calling goroutine, which Go gives in stacks and
// nowhere else.
func goroutineID() (id int64) {
	var buf [64]byte
	_, _ = fmt.Sscanf(string(buf[:runtime.Stack(buf[:], false)]), "goroutine %d ", &id) // 0 finds no stack
	return id
}

// maxStacks bounds the dump of all goroutines that one stack is looked up in.
const maxStacks = 64 << 20

// stack returns the stack of a goroutine. It stops all of them for a moment.
func stack(id int64) []byte {
	buf := make([]byte, 1<<20)
	n := runtime.Stack(buf, true)
	for n == len(buf) && n < maxStacks {
		buf = make([]byte, 2*len(buf))
		n = runtime.Stack(buf, true)
	}
	for one := range bytes.SplitSeq(buf[:n], []byte("\n\n")) {
		if bytes.HasPrefix(one, fmt.Appendf(nil, "goroutine %d ", id)) {
			return bytes.Clone(one)
		}
	}
	return nil
}
