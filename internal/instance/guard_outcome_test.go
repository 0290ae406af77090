package instance

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The end of a transaction is not answered: it took effect, or it did not. Either
// way everything is counted once.
func TestUnknownEnd(t *testing.T) {
	for name, first := range map[string]fate{"committed": unanswered, "not committed": vanishes} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, "words", "counts")
				cfg, wr := w.wired("a", countKeys(t))
				_, stop := w.start(cfg)
				w.putKeys("words", "x", "x")
				w.expectCounts("x=1", "x=2")

				var ends, inits atomic.Int64
				wr.set(func(_ string, key kmsg.Key) fate {
					switch {
					case key == kmsg.InitProducerID:
						inits.Add(1)
					case key == kmsg.EndTxn && inits.Load() == 0:
						if ends.Add(1) == 1 {
							return first
						}
						return vanishes
					}
					return arrives
				})
				w.putKeys("words", "x", "y")
				w.expectCounts("x=1", "x=2", "x=3", "y=1")
				w.putKeys("words", "x", "y")
				w.expectCounts("x=1", "x=2", "x=3", "y=1", "x=4", "y=2")
				if ends.Load() == 0 || inits.Load() == 0 {
					t.Errorf("%d ends of transactions, %d new producers", ends.Load(), inits.Load())
				}
				stop()
			})
		})
	}
}
