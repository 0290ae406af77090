package instance

import (
	"context"
	"errors"
	"regexp"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

func sensorPlan(t *testing.T) *task.Plan {
	t.Helper()
	b := topology.New()
	b.FromMatching(regexp.MustCompile(`sensor-\d+`), topology.NewTopic("sensors", serde.String, serde.String)).
		Count(store.KeyValue("readings", serde.String, serde.Int64)).Stream().
		To(topology.NewTopic("counts", serde.String, serde.Int64))
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return top.Plan()
}

// A topic that comes to match is read by all processes, and what they counted goes on.
func TestNewMatchingTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, "sensor-1", "counts", "sensors")
		plan := sensorPlan(t)
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		for range 2 {
			cfg := w.config(plan)
			wg.Go(func() {
				for {
					err := New(cfg).Run(ctx)
					if !errors.Is(err, ErrTopics) {
						if err != nil {
							t.Error(err)
						}
						return
					}
					cfg.Rejoin = true
				}
			})
		}
		read := func(topic string, n int) {
			for range n {
				w.put(&kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte("v")})
			}
		}
		time.Sleep(20 * time.Second)
		read("sensor-1", 5)
		time.Sleep(5 * time.Second)
		adm := w.client()
		defer adm.Close()
		if err := kafka.Create(t.Context(), adm, []kafka.TopicSpec{{Name: "sensor-22", Partitions: 2, ReplicationFactor: -1}, {Name: "sensor-x", Partitions: 7, ReplicationFactor: -1}}); err != nil {
			t.Fatal(err)
		}
		read("sensor-22", 3)
		time.Sleep(30 * time.Second)
		read("sensor-22", 1)
		read("sensor-1", 1)
		rs := w.read("counts", 10)
		if len(rs) != 10 {
			t.Fatalf("%d counts of 10", len(rs))
		}
		for i, r := range rs {
			if n, _ := serde.Int64.Decode(r.Value); n != int64(i+1) {
				t.Errorf("count %d is %d", i, n)
			}
		}
		cancel()
		wg.Wait()
	})
}

func TestNoMatchingTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "counts")
		err := New(w.config(sensorPlan(t))).Run(t.Context())
		if err == nil || err.Error() != `no topic matches ^(?:sensor-\d+)$: create one, or correct the pattern` {
			t.Errorf("err = %v", err)
		}
	})
}

// The topic of dead letters is not read, be it there at the start or not.
func TestDeadLettersMatch(t *testing.T) {
	for name, late := range map[string]bool{"from the start": false, "later": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { deadLettersMatch(t, late) })
		})
	}
}

func deadLettersMatch(t *testing.T, late bool) {
	w := newWorld(t, 1, "sensor-1", "counts")
	plan, err := sensorPlan(t).DeadLetters("app", "sensor-9")
	if err != nil {
		t.Fatal(err)
	}
	create := func() {
		adm := w.client()
		defer adm.Close()
		if err := kafka.Create(t.Context(), adm, []kafka.TopicSpec{{Name: "sensor-9", Partitions: 1, ReplicationFactor: -1}}); err != nil {
			t.Fatal(err)
		}
		w.put(&kgo.Record{Topic: "sensor-9", Key: []byte("k"), Value: []byte("dead")})
	}
	if !late {
		create()
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- New(w.config(plan)).Run(ctx) }()
	time.Sleep(20 * time.Second)
	if late {
		create()
	}
	w.put(&kgo.Record{Topic: "sensor-1", Key: []byte("k"), Value: []byte("v")})
	time.Sleep(30 * time.Second)
	if n := len(w.read("counts", 1)); n != 1 {
		t.Errorf("%d counts", n)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
