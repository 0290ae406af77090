package instance

import (
	"sync"
	"time"

	"github.com/leatstream/leat/internal/task"
)

// leftOut is what the global tables do without. No task counts it.
type leftOut struct {
	sync.Mutex
	drops  task.Drops
	untold int64
	told   time.Time
}

// tellInterval is how often it is told of what is left out.
const tellInterval = 10 * time.Second

// leave counts a record that makes no row, because of err, if it is not nil.
func (in *Instance) leave(why task.Drop, err error) {
	l := &in.left
	l.Lock()
	defer l.Unlock()
	l.drops[why]++
	if err == nil {
		return
	}
	if l.untold++; time.Since(l.told) >= tellInterval {
		in.log.Warn("records for global tables cannot be decoded, and the policy passes over them", "records", l.untold, "last", err)
		l.untold, l.told = 0, time.Now()
	}
}

// count adds what was left out so far.
func (l *leftOut) count(to map[string]int64) {
	l.Lock()
	defer l.Unlock()
	l.drops.Each(func(why task.Drop, n int64) { to[why.String()] += n })
}
