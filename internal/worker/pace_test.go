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

// fill hands a run records of one key, from offset 0 on, of a partition that goes on to end.
func (r *rig) fill(run *Run, key string, n int, end int64) {
	fd := run.Feeds[0]
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{Topic: in, Partition: fd.Partition, Key: []byte(key), Offset: int64(i), Timestamp: time.Now()}
	}
	r.w.Inbox.Put(fetch.Batch{Feed: fd, Records: records, After: int64(n), End: end})
}

// While there is more to do than several intervals would bring down, transactions last longer.
func TestCommitsAreFewFarBehind(t *testing.T) {
	const n = 160 // records of 10 ms, of which a turn takes 16
	for name, c := range map[string]struct {
		end     int64
		room    int // for what is on its way
		commits int
	}{
		"far behind": {10_000, 4 << 20, 2},
		"catches up": {n, 4 << 20, 5}, // every second turn, as when none is known to come
		"much sent":  {10_000, 100, 5},
	} {
		t.Run(name, func(t *testing.T) {
			inRig(t, func(t *testing.T, r *rig) {
				_ = r.end()
				<-r.ended
				r.cfg.BufferBytes = c.room
				r.run()
				run := r.hold(0, 0, counter())
				before := r.requests(kmsg.EndTxn)
				r.fill(run, brief, n, c.end)
				time.Sleep(n*10*time.Millisecond + r.cfg.CommitInterval/2)
				if got := r.requests(kmsg.EndTxn) - before; got != c.commits {
					t.Errorf("%d commits", got)
				}
			})
		})
	}
}

// Who keeps up has its results within the interval, be others of the worker far behind: it
// counts from when the turn of those is over.
func TestCommitOfWhoKeepsUp(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		lags, keepsUp := r.hold(0, 0, counter()), r.hold(1, 0, counter())
		r.fill(lags, brief, 160, 10_000)
		first := r.requests(kmsg.EndTxn)
		for r.requests(kmsg.EndTxn) == first {
			time.Sleep(time.Millisecond)
		}
		r.fill(keepsUp, "a", 1, 1)
		began := time.Now()
		for len(keepsUp.Committed()) == 0 {
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(began); took > 2*160*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}
