package worker

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/fetch"
)

// A record that comes alone is committed at once. Of many that come one by one, some
// share a commit: after each the worker rests.
func TestCommitsAreApart(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		r.add(0, 0, counter())
		r.feed(0, "a")
		before := time.Now()
		r.put(0, "a")
		for r.requests(kmsg.EndTxn) < 2 {
			time.Sleep(100 * time.Microsecond)
		}
		if took := time.Since(before); took >= rest {
			t.Errorf("a lone record waited %v for its commit", took)
		}
		time.Sleep(patience)

		began, n := time.Now(), r.requests(kmsg.EndTxn)
		for time.Since(began) < 20*rest {
			r.put(0, "a")
			time.Sleep(rest / 5)
		}
		time.Sleep(patience)
		if n = r.requests(kmsg.EndTxn) - n; n < 10 || n > 22 {
			t.Errorf("%d commits in 20 rests", n)
		}
	})
}

// A worker that has processed what it was given, while its task is known to lag, does not commit before the interval is
// over: more is on its way.
func TestCommitWaitsForMore(t *testing.T) {
	for name, end := range map[string]int64{"at the end": 2, "behind": 3} {
		t.Run(name, func(t *testing.T) {
			inRig(t, func(t *testing.T, r *rig) {
				run := r.add(0, 0, counter())
				r.feed(0, "a")
				before := r.requests(kmsg.EndTxn)
				r.w.Inbox.Put(fetch.Batch{Feed: run.Feeds[0], Records: []*kgo.Record{{Topic: in, Key: []byte("a"), Offset: 1, Timestamp: time.Now()}}, After: 2, End: end})
				time.Sleep(r.cfg.CommitInterval / 2)
				if waits := r.requests(kmsg.EndTxn) == before; waits != (end > 2) {
					t.Errorf("after half of the interval it waits: %v", waits)
				}
				time.Sleep(r.cfg.CommitInterval)
				if r.requests(kmsg.EndTxn) == before {
					t.Error("no commit when the interval is over")
				}
			})
		})
	}
}
