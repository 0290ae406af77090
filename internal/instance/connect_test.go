package instance

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Whoever reads for tasks has its connections before there are any: they are made by
// fetches of nothing when the process starts, and again when a rebalance begins.
func TestConnectsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, "lines", "counts")
		var ahead, late atomic.Int32
		var reads atomic.Bool
		w.c.ControlKey(int16(kmsg.Fetch), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
			w.c.KeepControl()
			switch req := kreq.(*kmsg.FetchRequest); {
			case len(req.Topics) > 0:
				reads.Store(true)
			case req.SessionID != 0 || req.SessionEpoch >= 0:
			case reads.Load():
				late.Add(1)
			default:
				ahead.Add(1)
			}
			return nil, nil, false
		})
		_, stop := w.start(w.config(wordCount(t)))
		defer stop()
		time.Sleep(10 * time.Second)
		if a, l := ahead.Load(), late.Load(); a < restores+1 || l > 0 {
			t.Errorf("%d connections before the first task and %d after it, not %d or more and none", a, l, restores+1)
		}
		_, stop = w.start(w.config(wordCount(t)))
		defer stop()
		time.Sleep(10 * time.Second)
		if n, each := late.Load(), ahead.Load(); n < 2*each {
			t.Errorf("%d connections in a rebalance of two, and %d by the first alone", n, each)
		}
	})
}
