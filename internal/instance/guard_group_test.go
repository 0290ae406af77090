package instance

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// An instance hears of a rebalance, but joins it too late, and no broker hears of
// its transaction. The group goes on without it: another one does the same work.
// When it is let in the group knows it again, in a generation in which its task is
// another's, and nobody has fenced it.
func TestZombieCommitsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "words", "counts")
		cfg, wr := w.wired("a", countKeys(t))
		cfg.TransactionTimeout, cfg.SessionTimeout = 10*time.Minute, impatient
		_, stop := w.start(cfg)
		w.putKeys("words", "x", "x")
		w.expectCounts("x=1", "x=2")

		wr.set(func(role string, key kmsg.Key) fate {
			switch {
			case role == "producer-0":
				return vanishes
			case key == kmsg.JoinGroup:
				return late
			}
			return arrives
		})
		w.putKeys("words", "x", "x")
		other, _ := w.wired("b", countKeys(t))
		_, stopOther := w.start(other)
		w.expectCounts("x=1", "x=2", "x=3", "x=4")

		time.Sleep(time.Minute) // it is a member again, and waits for its worker
		wr.set(nil)
		time.Sleep(time.Minute)
		w.putKeys("words", "x")
		w.expectCounts("x=1", "x=2", "x=3", "x=4", "x=5")
		stopOther()
		stop()
	})
}

// The group hears nothing of an instance any more, which goes on. Its transaction
// is complete but for the offsets, and those come when others have the task.
func TestLateOffsetsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "words", "counts")
		cfg, wr := w.wired("a", countKeys(t))
		cfg.SessionTimeout = impatient
		_, stop := w.start(cfg)
		time.Sleep(time.Minute) // it has the task
		other, _ := w.wired("b", countKeys(t))
		in, stopOther := w.start(other)
		w.putKeys("words", "x", "x")
		w.expectCounts("x=1", "x=2")

		wr.set(func(role string, key kmsg.Key) fate {
			switch {
			case role == "member":
				return vanishes
			case key == kmsg.TxnOffsetCommit:
				return late
			}
			return arrives
		})
		w.putKeys("words", "x", "x")
		w.expectCounts("x=1", "x=2", "x=3", "x=4")
		if len(in.Status().Running) == 0 {
			t.Error("nobody else has the task")
		}
		wr.set(nil)
		time.Sleep(time.Minute)
		w.putKeys("words", "x")
		w.expectCounts("x=1", "x=2", "x=3", "x=4", "x=5")
		stopOther()
		stop()
	})
}

// The group waits for the transactions of tasks that move.
func TestRevokeWaitsForCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, "words", "counts")
		cfg, wr := w.wired("a", countKeys(t))
		_, stop := w.start(cfg)
		time.Sleep(time.Second)

		var ended atomic.Bool
		wr.set(func(_ string, key kmsg.Key) fate {
			if key == kmsg.EndTxn {
				time.AfterFunc(delay, func() { ended.Store(true) })
				return late
			}
			return arrives
		})
		w.produce("words", 0, 20) // to both partitions
		time.Sleep(time.Second)
		other, _ := w.wired("b", countKeys(t))
		in, stopOther := w.start(other)
		for st := in.Status(); len(st.Running)+len(st.Restoring) == 0; st = in.Status() {
			time.Sleep(10 * time.Millisecond)
		}
		if !ended.Load() {
			t.Error("a task has moved within a transaction")
		}
		wr.set(nil)
		stopOther()
		stop()
	})
}
