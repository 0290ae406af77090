package instance

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/fetch"
	"github.com/leatstream/leat/internal/kafka"
)

// purge deletes the records of partition 0 of words below offset.
func (w *world) purge(offset int64) {
	w.t.Helper()
	cl := w.client()
	defer cl.Close()
	if err := kafka.Purge(context.Background(), cl, map[kafka.TopicPartition]int64{{Topic: "words"}: offset}); err != nil {
		w.t.Error(err)
	}
}

// A process is cut off for longer than its session. Others have its task; what it would
// read next has been processed, and deleted as a repartition topic's records are. It
// finds that out before the group tells it that it is no member any more: nothing has
// been lost, and it must not say so.
func TestZombieFindsItsInputDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "words", "counts")
		cfg, wr := w.wired("a", countKeys(t))
		cfg.SessionTimeout = impatient
		_, stop := w.start(cfg)
		w.putKeys("words", "x", "x")
		w.expectCounts("x=1", "x=2")

		wr.set(func(role string, _ kmsg.Key) fate {
			if role == "consumer" || role == "member" {
				return vanishes
			}
			return arrives
		})
		time.Sleep(time.Second) // the fetch that waits is over
		w.putKeys("words", "x", "x")
		other, _ := w.wired("b", countKeys(t))
		_, stopOther := w.start(other)
		w.expectCounts("x=1", "x=2", "x=3", "x=4")
		w.purge(4)

		wr.set(func(role string, _ kmsg.Key) fate {
			if role == "member" {
				return vanishes
			}
			return arrives
		})
		time.Sleep(time.Minute) // it fetches, and asks
		wr.set(nil)
		time.Sleep(time.Minute)
		stopOther()
		w.putKeys("words", "x")
		w.expectCounts("x=1", "x=2", "x=3", "x=4", "x=5")
		stop()
	})
}

// The same of a process that owns the task: what it had not processed is lost.
func TestInputDeletedBeforeItWasProcessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "words", "counts")
		cfg, wr := w.wired("a", countKeys(t))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- New(cfg).Run(ctx) }()
		w.putKeys("words", "x", "x")
		w.expectCounts("x=1", "x=2")
		wr.set(func(role string, _ kmsg.Key) fate {
			if role == "consumer" {
				return vanishes
			}
			return arrives
		})
		time.Sleep(time.Second)
		w.putKeys("words", "x", "x")
		w.purge(4)
		wr.set(nil)
		err := <-ended
		if at, ok := errors.AsType[*fetch.PositionError](err); !ok || at.Topic != "words" || !errors.Is(err, kerr.OffsetOutOfRange) || !strings.Contains(err.Error(), "task 0_0") {
			t.Errorf("run: %v", err)
		}
	})
}
