package instance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

// end runs an instance until it ends by itself, and returns why.
func (w *world) end(cfg Config) error {
	w.t.Helper()
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	go func() { done <- New(cfg).Run(ctx) }()
	return <-done
}

// failing copies lines; code decides which fail.
func failing(t *testing.T, code func(v string) error) *task.Plan {
	t.Helper()
	b := topology.New()
	b.From(copyIn).Process("p", func(c *topology.Context[string, string]) (topology.Handler[string, string], error) {
		return func(r topology.Record[string, string]) error {
			if err := code(r.Value); err != nil {
				return err
			}
			return c.Emit(r)
		}, nil
	}).To(copyOut)
	return built(t, b)
}

// While a record waits to be tried again, the other partitions go on, and its own one
// goes on after it, in order.
func TestRetryHoldsOnlyItsPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, "lines", "copy")
		var tries atomic.Int64
		cfg := w.config(failing(t, func(v string) error {
			if v == "bad" && tries.Add(1) <= 4 {
				return errors.New("not now")
			}
			if v == "after" && tries.Load() != 5 {
				t.Errorf("a record is ahead of the one before it, which was tried %d times", tries.Load())
			}
			return nil
		}))
		cfg.Workers, cfg.Policies.Retry = 1, task.Retry{Times: 5, Backoff: 10_000, Max: 60_000}
		m := newMeter(t, &cfg)
		_, stop := w.start(cfg)
		cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		for _, v := range []string{"bad", "after"} {
			w.send(cl, 0, v)
		}
		for i := range 10 {
			w.send(cl, 1, fmt.Sprint("other", i))
		}
		cl.Close()
		time.Sleep(20 * time.Second)
		if got := values(w.read("copy", 10)); strings.Contains(got, "bad") || strings.Count(got, "other") != 10 {
			t.Errorf("while a record waits: %q", got)
		}
		time.Sleep(5 * time.Minute)
		if got := values(w.read("copy", 12)); strings.Count(got, "bad") != 1 || strings.Count(got, "after") != 1 {
			t.Errorf("in the end: %q", got)
		}
		m.expect(map[string]float64{"leat.records.retried": 4})
		stop()
	})
}

// More failures than are tolerated stop the process before they take effect.
func TestTooManyFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "copy")
		cfg := w.config(failing(t, func(v string) error {
			if v == "bad" {
				return errors.New("this is bad")
			}
			return nil
		}))
		cfg.Policies.Process, cfg.Tolerance = task.Skip, Tolerance{5, time.Minute}
		_, stop := w.start(cfg)
		cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		for range 3 { // five in a minute are borne, again and again
			for range 5 {
				w.send(cl, 0, "bad")
			}
			time.Sleep(2 * time.Minute)
		}
		w.send(cl, 0, "good")
		if got := values(w.read("copy", 1)); got != "good " {
			t.Errorf("got %q", got)
		}
		stop()
		for range 6 {
			w.send(cl, 0, "bad")
		}
		cl.Close()
		err := w.end(cfg)
		var where *task.Error
		if !errors.Is(err, ErrTooManyFailures) || !errors.As(err, &where) || where.Topic != "lines" {
			t.Errorf("run: %v", err)
		}
	})
}

// refuse makes brokers refuse batches that hold a text, with an error. The whole
// request is refused, and so are those who are in it by chance.
func (w *world) refuse(text string, why *kerr.Error) {
	w.c.ControlKey(int16(kmsg.Produce), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		w.c.KeepControl()
		req := kreq.(*kmsg.ProduceRequest)
		guilty := false
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range req.Topics {
			answer := kmsg.ProduceResponseTopic{Topic: topic.Topic, TopicID: topic.TopicID}
			for _, p := range topic.Partitions {
				guilty = guilty || bytes.Contains(p.Records, []byte(text))
				answer.Partitions = append(answer.Partitions, kmsg.ProduceResponseTopicPartition{Partition: p.Partition, ErrorCode: why.Code, BaseOffset: -1})
			}
			resp.Topics = append(resp.Topics, answer)
		}
		return resp, nil, guilty
	})
}

// A record whose result the brokers refuse is found among those that share its batches,
// and the policy answers: all others take effect once.
func TestRefusedByBrokers(t *testing.T) {
	for _, policy := range []task.Policy{task.Fail, task.Skip, task.DeadLetter} {
		t.Run(policy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 2, "lines", "copy", "dead")
				w.refuse("<poison>", kerr.MessageTooLarge)
				cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
				for i := range 200 {
					w.send(cl, int32(i%2), fmt.Sprint("v", i))
					if i == 50 || i == 151 {
						w.send(cl, 0, "poison")
					}
				}
				cl.Close()
				b := topology.New()
				b.From(copyIn).MapValues(func(v string) string {
					if v == "poison" {
						return "<poison>"
					}
					return v
				}).To(copyOut)
				cfg := w.config(built(t, b))
				cfg.Policies.Produce, cfg.Policies.DeadLetterTopic = policy, "dead"
				m := newMeter(t, &cfg)
				if policy == task.Fail {
					ends := w.c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Observe: true, Count: -1})
					err := w.end(cfg)
					if ends.Hits() == 0 {
						t.Error("the transaction is left open: who reads what is committed waits for it to time out")
					}
					var refused *task.ProduceError
					if !errors.Is(err, kerr.MessageTooLarge) || !errors.As(err, &refused) || refused.Topic != "copy" {
						t.Errorf("run: %v", err)
					}
					return
				}
				in, stop := w.start(cfg)
				got := strings.Fields(values(w.read("copy", 200)))
				slices.Sort(got)
				if len(got) != 200 || len(slices.Compact(got)) != 200 {
					t.Errorf("%d records are written, or some twice", len(got))
				}
				dropped, want := in.Status().Dropped, task.DropRefused
				if policy == task.DeadLetter {
					want = task.DropDeadLetter
					if dead := w.read("dead", 2); len(dead) != 2 || string(dead[0].Value) != "poison" {
						t.Errorf("%d dead letters", len(dead))
					}
				}
				if dropped[want.String()] != 2 {
					t.Errorf("dropped %v", dropped)
				}
				m.expect(map[string]float64{"leat.records.dropped{reason=" + want.String() + "}": 2})
				stop()
			})
		})
	}
}

// Code that runs at a commit stands for many records, and no policy can tell which to pass
// over: the process stops, and nothing of that commit takes effect.
func TestCodeAtCommitFails(t *testing.T) {
	for name, how := range map[string]func(error) error{
		"error": func(err error) error { return err },
		"panic": func(err error) error { panic(err) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, "words", "counts", "dead")
				var healed atomic.Bool
				broken := errors.New("this is bad")
				b := topology.New()
				b.Coalesce()
				b.From(topology.NewTopic("words", serde.String, serde.String)).
					Count(store.KeyValue("counts", serde.String, serde.Int64)).
					Stream().
					Process("p", func(c *topology.Context[string, int64]) (topology.Handler[string, int64], error) {
						return func(r topology.Record[string, int64]) error {
							if r.Key == "bad" && !healed.Load() {
								return how(broken)
							}
							return c.Emit(r)
						}, nil
					}).
					To(topology.NewTopic("counts", serde.String, serde.Int64))
				cfg := w.config(built(t, b))
				cfg.Policies.Process, cfg.Policies.DeadLetterTopic = task.DeadLetter, "dead"
				w.putKeys("words", "a", "bad", "c")
				err := w.end(cfg)
				if where, ok := errors.AsType[*task.Error](err); !ok || where.Node != "p" || where.Task != "0_0" || !strings.Contains(err.Error(), broken.Error()) {
					t.Errorf("run: %v", err)
				}
				w.expectCounts()
				if dead := w.read("dead", 0); len(dead) > 0 {
					t.Errorf("%d dead letters", len(dead))
				}
				healed.Store(true)
				w.runs(cfg, "a=1", "bad=1", "c=1")
			})
		})
	}
}

// A repartition write that is refused is work of another task: no policy passes over it.
func TestRefusedRepartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "counts", "dead")
		w.c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "app-words-repartition", Err: kerr.InvalidRecord})
		cfg := w.config(wordCount(t))
		cfg.Policies.Produce, cfg.Policies.DeadLetterTopic = task.DeadLetter, "dead"
		w.produce("lines", 0, 20)
		if err := w.end(cfg); !errors.Is(err, kerr.InvalidRecord) {
			t.Errorf("run: %v", err)
		}
	})
}
