package worker

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
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
