package instance

import (
	"context"
	"sync"
	"time"

	"github.com/leatstream/leat/internal/assign"
)

// loads is what the tasks of this process weigh: thousandths of a worker's time that
// their records take, on average over the last minutes.
//
// Weights count when the group is assigned anew, which somebody's coming or going brings
// about. A process that has become much heavier or lighter since it last told asks for
// it, but seldom, and not unless it has something to do.
type loads struct {
	mu    sync.Mutex
	tasks map[assign.Task]*load
	told  int64     // the sum of what was told last
	asked time.Time // when an assignment was last asked for, or the first reading
}

// A load is that of one task.
type load struct {
	busy  time.Duration // as last read
	at    time.Time     // then
	age   time.Duration // for which it has been measured
	share float64       // of a worker's time
}

const (
	loadInterval = 15 * time.Second // between two readings
	loadMemory   = 5 * time.Minute  // what was before counts less and less
	loadSettled  = time.Minute      // before that it is not told: there is a backlog at first
	askInterval  = 10 * time.Minute // between two requests for an assignment
	askShare     = 4                // a worker has something to do that is busy for so many a part of its time
)

// read takes in how long each task has been busy since somebody began to count. Tasks
// that are not there are forgotten.
func (l *loads) read(now time.Time, busy map[assign.Task]time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked.IsZero() {
		l.asked = now
	}
	tasks := make(map[assign.Task]*load, len(busy))
	for t, b := range busy {
		was := l.tasks[t]
		if was == nil || b < was.busy { // the task has been opened anew
			age, share := time.Duration(0), 0.0
			if was != nil {
				age, share = was.age, was.share
			}
			tasks[t] = &load{b, now, age, share}
			continue
		}
		tasks[t] = was
		if passed := now.Sub(was.at); passed > 0 {
			was.age += passed
			part := float64(passed) / float64(min(was.age, loadMemory))
			was.share += (float64(b-was.busy)/float64(passed) - was.share) * part
			was.busy, was.at = b, now
		}
	}
	l.tasks = tasks
}

// tell returns what the tasks weigh, for the group.
func (l *loads) tell() map[assign.Task]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[assign.Task]int64{}
	l.told = 0
	for t, o := range l.tasks {
		if o.age >= loadSettled {
			out[t] = int64(1000 * o.share)
			l.told += out[t]
		}
	}
	return out
}

// ask reports whether the group should be assigned anew, for what this process has to
// carry now with so many workers.
func (l *loads) ask(now time.Time, workers int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.asked) < askInterval {
		return false
	}
	var sum int64
	for _, o := range l.tasks {
		if o.age >= loadSettled {
			sum += int64(1000 * o.share)
		}
	}
	if max(sum, l.told)*askShare < int64(workers)*1000 || 2*l.told > sum && 2*sum > l.told {
		return false
	}
	l.asked = now
	return true
}

// watchLoad measures what tasks weigh.
func (in *Instance) watchLoad(ctx context.Context) error {
	for range every(ctx, loadInterval) {
		busy := map[assign.Task]time.Duration{}
		for t, run := range in.running() {
			busy[t] = run.Busy()
		}
		in.loads.read(time.Now(), busy)
		if in.loads.ask(time.Now(), in.cfg.Workers) {
			in.log.Info("asking the group for an assignment: this process has become much heavier or lighter")
			in.member.Rebalance()
		}
	}
	return nil
}
