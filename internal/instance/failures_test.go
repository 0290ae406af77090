package instance

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/topology"
)

// A wall-clock timer that is scheduled while a record is processed. The worker knows
// only of the timers that were there when it was given the run (Worker.add).
func TestTimerScheduledInHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "copy")
		var fired atomic.Int64
		b := topology.New()
		b.From(copyIn).Process("p", func(c *topology.Context[string, string]) (topology.Handler[string, string], error) {
			return func(topology.Record[string, string]) error {
				c.Every(time.Second, topology.WallClock, func(time.Time) error { fired.Add(1); return nil })
				return nil
			}, nil
		}).To(copyOut)
		top, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		_, stop := w.start(w.config(top.Plan()))
		cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		w.send(cl, 0, "one")
		cl.Close()
		time.Sleep(time.Minute)
		stop()
		if fired.Load() == 0 {
			t.Error("in a minute a timer of one second has not fired")
		}
	})
}

// ShutdownTimeout bounds a stop. Here the brokers stop to answer produce requests, and
// the worker has taken the stop command: command waits for its answer without ctx, the
// worker waits for Flush with the instance's context, which nobody ends.
func TestStopWhileBrokersAreSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "copy")
		var silent atomic.Bool
		back := make(chan struct{})
		w.c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			w.c.KeepControl()
			if !silent.Load() {
				return nil, nil, false
			}
			w.c.SleepControl(func() { <-back })
			return nil, nil, false
		})
		ctx, cancel := context.WithCancel(context.Background())
		var n atomic.Int64
		plan := copyPlan(t, copyIn, func(_, v string) {
			if v == "last" && n.Add(1) == 1 {
				silent.Store(true)
				cancel()
				time.Sleep(time.Second) // Run calls Worker.Stop meanwhile
			}
		})
		cfg := w.config(plan)
		cfg.CommitInterval = 5 * time.Second
		ended := make(chan error, 1)
		go func() { ended <- New(cfg).Run(ctx) }()
		time.Sleep(10 * time.Second)
		cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		for range 2000 { // more than a quantum, so that the worker is not dry
			cl.Produce(t.Context(), &kgo.Record{Topic: "lines", Value: []byte("last")}, nil)
		}
		time.Sleep(time.Second)
		select {
		case err := <-ended:
			ended <- err
		case <-time.After(3 * time.Minute):
			t.Errorf("3 minutes after it was asked to stop, with ShutdownTimeout %v, Run has not returned", cfg.ShutdownTimeout)
		}
		close(back)
		cl.Close()
		<-ended
	})
}

// The transaction coordinator is away for a minute, as it is when a broker restarts
// badly, and a transaction fails. Every other request of ours is repeated until that
// passes; the one that gives the new producer its epoch is tried for 30 s (kgo's
// default), and then the process ends.
func TestCoordinatorAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "copy")
		var away atomic.Bool
		refuse := func(kreq kmsg.Request) (kmsg.Response, error, bool) {
			w.c.KeepControl()
			if !away.Load() {
				return nil, nil, false
			}
			switch req := kreq.(type) {
			case *kmsg.InitProducerIDRequest:
				if req.TransactionalID == nil {
					return nil, nil, false
				}
				resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
				resp.ErrorCode = kerr.CoordinatorNotAvailable.Code
				return resp, nil, true
			case *kmsg.EndTxnRequest:
				resp := req.ResponseKind().(*kmsg.EndTxnResponse)
				resp.ErrorCode = kerr.CoordinatorNotAvailable.Code
				return resp, nil, true
			}
			return nil, nil, false
		}
		w.c.ControlKey(int16(kmsg.InitProducerID), refuse)
		w.c.ControlKey(int16(kmsg.EndTxn), refuse)
		var mu sync.Mutex
		var errs []error
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			err := New(w.config(copyPlan(t, copyIn, func(_, _ string) {}))).Run(ctx)
			mu.Lock()
			errs = append(errs, err)
			mu.Unlock()
		}()
		time.Sleep(10 * time.Second)
		away.Store(true)
		cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		w.send(cl, 0, "one")
		time.Sleep(90 * time.Second)
		away.Store(false)
		select {
		case <-ended:
			t.Errorf("the coordinator was away for 90 s, and the process has ended: %v", errors.Join(errs...))
		case <-time.After(time.Minute):
		}
		cl.Close()
		cancel()
		<-ended
	})
}

// Status may be called at any time, says its comment. Run with -race.
func TestStatusDuringStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "copy")
		in := New(w.config(copyPlan(t, copyIn, func(_, _ string) {})))
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- in.Run(ctx) }()
		for range 2000 {
			_ = in.Status()
			time.Sleep(time.Millisecond)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// Brokers that are away for a moment when a process starts are waited for; those that stay away are an error.
func TestBrokersAwayAtStart(t *testing.T) {
	for away, started := range map[time.Duration]bool{5 * time.Second: true, time.Minute: false} {
		t.Run(away.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, "lines", "copy")
				cfg, began := w.config(copyPlan(t, copyIn, func(_, _ string) {})), time.Now()
				cfg.ClientOptions = append(cfg.ClientOptions, kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
					if time.Since(began) < away {
						return nil, errors.New("nobody is there")
					}
					return w.net.DialContext(ctx, network, address)
				}))
				in := New(cfg)
				ctx, cancel := context.WithCancel(context.Background())
				ended := make(chan error, 1)
				go func() { ended <- in.Run(ctx) }()
				time.Sleep(20 * time.Second)
				joined := in.Status().Joined
				cancel()
				if err := <-ended; (err == nil) != started || joined != started {
					t.Errorf("joined: %v, error: %v", joined, err)
				}
			})
		})
	}
}

// At least once needs no transactions, and so no right to transactional ids. When
// another member has left, Assigned fences it all the same.
func TestAtLeastOnceFencesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, "lines", "copy")
		var asked atomic.Int64
		w.c.ControlKey(int16(kmsg.InitProducerID), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
			w.c.KeepControl()
			req := kreq.(*kmsg.InitProducerIDRequest)
			if req.TransactionalID == nil {
				return nil, nil, false
			}
			asked.Add(1)
			resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
			resp.ErrorCode = kerr.TransactionalIDAuthorizationFailed.Code
			return resp, nil, true
		})
		plan := copyPlan(t, copyIn, func(_, _ string) {})
		cfg := func() Config {
			c := w.config(plan)
			c.ExactlyOnce = false
			return c
		}
		_, stop := w.start(cfg())
		time.Sleep(20 * time.Second)
		_, stopOther := w.start(cfg())
		time.Sleep(30 * time.Second)
		stopOther()
		time.Sleep(30 * time.Second)
		stop()
		if n := asked.Load(); n > 0 {
			t.Errorf("%d transactional ids were initialised", n)
		}
	})
}

// A record goes to a topic that does not exist (ToEach, or a sink that was deleted).
// The transaction fails, the task is restored, and meets the same record, for ever.
func TestMissingSinkIsNotTriedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "copy")
		b := topology.New()
		missing := topology.NewTopic("missing", serde.String, serde.String)
		b.From(copyIn).ToEach(func(topology.Record[string, string]) topology.Topic[string, string] { return missing })
		top, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- New(w.config(top.Plan())).Run(ctx) }()
		time.Sleep(10 * time.Second)
		cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		w.send(cl, 0, "one")
		cl.Close()
		select {
		case err := <-ended:
			t.Log(err)
		case <-time.After(time.Hour):
			t.Error("after an hour of failing transactions the process has not said what is wrong with an error")
			cancel()
			<-ended
		}
		cancel()
	})
}
