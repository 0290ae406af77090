package task

import "slices"

// Clock names what a timer goes by.
type Clock int8

const (
	// StreamTime is the greatest timestamp the task has seen.
	StreamTime Clock = iota
	// WallClock is the time of day.
	WallClock
)

func (c Clock) String() string {
	if c == WallClock {
		return "wall clock"
	}
	return "stream time"
}

// A Timer calls a function again and again. It belongs to one task.
type Timer struct {
	node  int
	name  string
	clock Clock
	every int64
	next  int64
	fn    func(now int64) error
	off   bool

	resumed bool // next was committed
}

// Cancel stops the timer. It may be called from the timer's own function.
func (tm *Timer) Cancel() { tm.off = true }

// advance sets the next firing after one at now. Firings that were missed are
// skipped, not made up for.
func (tm *Timer) advance(now int64) {
	tm.next += tm.every
	if now >= tm.next {
		missed := (now - tm.next) / tm.every
		tm.next += (missed + 1) * tm.every
	}
}

// resume takes up the schedule that was committed. If the interval has since become
// shorter, so does what is left of it. A wall-clock timer that would have fired in the
// meantime fires at once, and once.
func (tm *Timer) resume(next, streamTime, wallClock int64) {
	if tm.clock == WallClock {
		next = min(next, wallClock+tm.every)
		if tm.resumed { // the inputs may have been committed at different times
			next = max(next, tm.next)
		}
		tm.next, tm.resumed = next, true
		return
	}
	if streamTime >= 0 && next > streamTime+tm.every {
		next = streamTime - streamTime%tm.every + tm.every
	}
	tm.next = max(tm.next, next)
}

// due fires the timers of a clock whose time has come, the earliest first.
func (t *Task) due(clock Clock, now int64) error {
	for {
		var first *Timer
		gone := 0
		for _, tm := range t.timers {
			if tm.off {
				gone++
			}
			if tm.clock == clock && !tm.off && tm.next <= now && (first == nil || tm.next < first.next) {
				first = tm
			}
		}
		if gone > 0 {
			t.timers = slices.DeleteFunc(t.timers, func(tm *Timer) bool { return tm.off })
		}
		if first == nil {
			return nil
		}
		first.advance(now)
		t.touched = true
		if err := t.fireOrPass(first, now); err != nil {
			return err
		}
	}
}

// fireOrPass fires a timer. What one did that failed is undone and counted if the
// process policy is not to fail: there is no record that could go to a dead-letter
// topic.
func (t *Task) fireOrPass(tm *Timer, now int64) error {
	if t.policies.Process == Fail {
		return t.fire(tm, now)
	}
	t.mark(nil)
	err := t.fire(tm, now)
	if err == nil {
		t.release()
		return nil
	}
	if policy, _ := t.policies.answer(err); policy == Fail {
		return err
	}
	t.undo(nil)
	t.passed = err
	t.Drop(DropProcess)
	return nil
}

func (t *Task) fire(tm *Timer, now int64) (err error) {
	t.current, t.input, t.at, t.now = nil, nil, tm.node, now
	defer t.guard(&err)
	if err = tm.fn(now); t.lost != nil {
		return t.lost
	}
	return err
}
