package instance

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/failpoint"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/window"
)

// Without transactions a crash leaves state that is further than the offsets. In a backlog
// it can be so by more event time than its windows are kept. What is done again finds them
// all the same: else it would begin them anew, and tell less than there was.
func TestWindowsThatAreDoneAgain(t *testing.T) {
	reduce := func(acc, v string) string { return acc + v }
	for name, build := range map[string]func(in topology.Stream[string, string]){
		"tumbling": func(in topology.Stream[string, string]) {
			topology.Windowed(in, window.Tumbling(time.Minute)).Reduce(store.Window("w", serde.String, serde.String), reduce).
				Stream().To(topology.NewTopic("out", serde.SessionWindowed(serde.String), serde.String))
		},
		"session": func(in topology.Stream[string, string]) {
			topology.Sessions(in, window.Sessions(time.Minute)).Reduce(store.Session("w", serde.String, serde.String), reduce).
				Stream().To(topology.NewTopic("out", serde.SessionWindowed(serde.String), serde.String))
		},
	} {
		b := topology.New()
		build(b.From(topology.NewTopic("in", serde.String, serde.String)))
		top, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		for n, want := range []string{"1212", "122"} {
			t.Run(fmt.Sprintf("%s/committed=%d", name, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, 1, "in", "out")
					start := time.Now()
					rs := []*kgo.Record{
						{Topic: "in", Key: []byte("k"), Value: []byte("1"), Timestamp: start},
						{Topic: "in", Key: []byte("k"), Value: []byte("2"), Timestamp: start.Add(time.Second)},
						{Topic: "in", Key: []byte("far"), Value: []byte("3"), Timestamp: start.Add(100 * time.Hour)},
					}
					h := w.host(top.Plan(), 1)
					h.cfg.ExactlyOnce, h.cfg.Workers = false, 1
					var armed atomic.Bool
					cfg := h.cfg
					cfg.Failpoint = func(p failpoint.Point) error {
						if p == failpoint.Flushed && armed.Load() {
							return errCrash
						}
						return nil
					}
					w.put(rs[:n]...)
					ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errCrash)
					defer cancel()
					crashed := make(chan error)
					go func() { crashed <- h.crash(ctx, cfg) }()
					time.Sleep(20 * time.Second)
					armed.Store(true)
					w.put(rs[n:]...)
					if err := <-crashed; !errors.Is(err, errCrash) {
						t.Fatal(err)
					}
					_, stop := w.start(h.cfg)
					got := ""
					for _, r := range w.read("out", len(want)) {
						if r.Key[0] == 'k' && r.Value != nil {
							got = string(r.Value)
						}
					}
					stop()
					if got != want {
						t.Errorf("%q, want %q", got, want)
					}
				})
			})
		}
	}
}
