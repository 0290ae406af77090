package pulse

import (
	"bytes"
	"fmt"
	"runtime"
	"time"

	"github.com/leatstream/leat/internal/task"
)

// A Stall is code that does not return.
type Stall struct {
	Where task.Error // without a cause; the zero value if it is no code of the application
	Since time.Time
	Stack []byte // of the goroutine
}

func (s *Stall) String() string {
	if s.Where.Task == "" {
		return "a worker, outside of any task"
	}
	return s.Where.Place()
}

// A Watch looks at a pulse from outside. It belongs to one goroutine.
type Watch struct {
	p     *Pulse
	where *Where
	beats int64
	since time.Time
	told  *Stall
}

// Watch returns a watch of the pulse.
func (p *Pulse) Watch() *Watch { return &Watch{p: p, since: time.Now()} }

// Look returns the stall that the goroutine is in: code that has not returned, and not
// begun with another record, for longer than the time-out. news reports whether that
// was otherwise when Look was last called. It has to be called more often than once
// in the time-out.
func (t *Watch) Look(timeout time.Duration) (s *Stall, news bool) {
	where, beats := t.p.where.Load(), t.p.beats.Load()
	busy := where != nil
	if t.p.Busy != nil {
		busy = t.p.Busy()
	}
	if !busy || where != t.where || beats != t.beats {
		t.where, t.beats, t.since = where, beats, time.Now()
	}
	t.p.asked.Store(true)
	before := t.told
	switch stalled := busy && time.Since(t.since) >= timeout; {
	case !stalled:
		t.told = nil
	case t.told == nil:
		t.told = t.stall()
	}
	return t.told, t.told != before
}

func (t *Watch) stall() *Stall {
	s := &Stall{Since: t.since, Stack: stack(t.p.goroutine.Load())}
	if t.where != nil {
		s.Where = (*t.where)()
	}
	return s
}

// goroutineID is the number of the calling goroutine, which Go gives in stacks and
// nowhere else.
func goroutineID() (id int64) {
	var buf [64]byte
	text, _ := bytes.CutPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	for _, c := range text {
		if c < '0' || c > '9' {
			break
		}
		id = 10*id + int64(c-'0')
	}
	return id // 0 finds no stack
}

// maxStacks bounds the dump of all goroutines.
const maxStacks = 64 << 20

// Stacks returns the stacks of all goroutines. It stops them for a moment.
func Stacks() []byte {
	buf := make([]byte, 1<<20)
	n := runtime.Stack(buf, true)
	for n == len(buf) && n < maxStacks {
		buf = make([]byte, 2*len(buf))
		n = runtime.Stack(buf, true)
	}
	return buf[:n]
}

// stack returns the stack of a goroutine.
func stack(id int64) []byte {
	for one := range bytes.SplitSeq(Stacks(), []byte("\n\n")) {
		if bytes.HasPrefix(one, fmt.Appendf(nil, "goroutine %d ", id)) {
			return bytes.Clone(one)
		}
	}
	return nil
}
