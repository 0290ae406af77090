package instance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/assign"
)

// A busyness is a task that is busy for a share of each interval.
type busyness struct {
	l    loads
	now  time.Time
	busy time.Duration
}

func (b *busyness) pass(share float64, d time.Duration) {
	for range d / loadInterval {
		b.now = b.now.Add(loadInterval)
		b.busy += time.Duration(share * float64(loadInterval))
		b.l.read(b.now, map[assign.Task]time.Duration{{}: b.busy})
	}
}

func (b *busyness) weight() int64 {
	w, ok := b.l.tell()[assign.Task{}]
	if !ok {
		return -1
	}
	return w
}

func TestLoads(t *testing.T) {
	t.Parallel()
	b := &busyness{now: time.Unix(1e9, 0)}
	near := func(what string, want int64) {
		t.Helper()
		if got := b.weight(); max(got-want, want-got) > 5 {
			t.Errorf("%s: weighs %d, want %d", what, got, want)
		}
	}
	b.pass(0.5, loadSettled)
	near("before it has settled", -1)
	b.pass(0.5, time.Minute)
	near("steady", 500)
	b.pass(0.9, loadInterval)
	if w := b.weight(); w < 520 || w > 580 {
		t.Errorf("after one reading of 900: weighs %d", w)
	}
	b.pass(0.9, 30*time.Minute)
	near("after half an hour", 900)
	b.busy = 0
	b.pass(0.9, loadInterval)
	near("opened anew", 900)
	b.l.read(b.now, nil)
	b.pass(0.1, loadInterval)
	near("was elsewhere", -1)
}

func TestAsk(t *testing.T) {
	t.Parallel()
	b := &busyness{now: time.Unix(1e9, 0)}
	asks := func(what string, want bool) {
		t.Helper()
		if got := b.l.ask(b.now, 2); got != want {
			t.Errorf("%s: asks %v", what, got)
		}
	}
	b.pass(0.9, 5*time.Minute)
	asks("too soon", false)
	b.pass(0.9, 5*time.Minute+loadInterval)
	asks("nobody knows yet", true)
	asks("just asked", false)
	b.weight()
	b.pass(0.7, 30*time.Minute)
	asks("much as it was", false)
	b.pass(0.3, 30*time.Minute)
	asks("a third of what it was", true)
	b.weight()
	b.pass(0.1, 30*time.Minute)
	asks("little to do, now and then", false)
}

// Two tasks that take much time are on one of two processes. When that is known they
// part, with nobody coming or going, and that is that.
func TestHeavyTasksPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, "lines", "copy")
		plan := copyPlan(t, copyIn, func(_, v string) {
			if v == "slow" {
				time.Sleep(800 * time.Millisecond)
			}
		})
		var log logged
		var ins []*Instance
		for i := range 2 {
			cfg := w.config(plan)
			cfg.InstanceID, cfg.Workers, cfg.Log = fmt.Sprint("p", i), 2, logTo(&log)
			in, stop := w.start(cfg)
			defer stop()
			ins = append(ins, in)
			time.Sleep(time.Minute)
		}
		slow := ins[0].Status().Running
		cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		defer cl.Close()
		for range 25 * 60 {
			time.Sleep(time.Second)
			for _, task := range slow {
				w.send(cl, task.Partition, "slow")
			}
		}
		first, other := ins[0].Status().Running, ins[1].Status().Running
		if len(slow) != 2 || slices.Contains(first, slow[0]) == slices.Contains(first, slow[1]) {
			t.Errorf("%v take their time, and the first process has %v, the other %v", slow, first, other)
		}
		if n := strings.Count(log.String(), "tasks revoked"); n > 4 {
			t.Errorf("tasks were revoked %d times: %s", n, log.String())
		}
	})
}
