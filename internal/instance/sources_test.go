package instance

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

// Two tables of one topic that both have it as their changelog: replays are kept by
// changelog partition, so only one of the two stores is restored, and the other one is
// empty after the next start, without a word.
func TestTwoTablesOfOneSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "copy")
		adm := w.client()
		if err := kafka.Create(t.Context(), adm, []kafka.TopicSpec{{Name: "lines", Partitions: 1, ReplicationFactor: -1, Configs: kafka.ChangelogConfig()}}); err != nil {
			t.Fatal(err)
		}
		adm.Close()
		one := store.KeyValue("one", serde.String, serde.String)
		two := store.KeyValue("two", serde.String, serde.String)
		b := topology.New()
		b.Table(copyIn, one, topology.SourceAsChangelog())
		b.Table(copyIn, two, topology.SourceAsChangelog())
		top, err := b.Build()
		if err != nil {
			t.Logf("refused, which is well: %v", err)
			return
		}
		cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "lines", Key: []byte("k"), Value: []byte("v")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		cl.Close()
		cfg := w.config(top.Plan()) // state is in memory: each start restores it
		for range 2 {
			in, stop := w.start(cfg)
			time.Sleep(20 * time.Second)
			for _, run := range in.running() {
				err := in.workers[0].Release(t.Context(), run) // so that the test may read its stores
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range run.Task.Stores() {
					if _, _, ok, err := s.State.Get([]byte("k")); !ok || err != nil {
						t.Errorf("store %q has lost its row: %v", s.Name, err)
					}
				}
			}
			stop()
		}
	})
}

// A producer that can never be made, because its options are wrong, is not a
// coordinator that is away.
func TestProducerOptionsThatCannotWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "copy")
		cfg := w.config(copyPlan(t, copyIn, func(_, _ string) {}))
		cfg.MaxRecord = 200 << 20 // more than a request may have (kgo.BrokerMaxWriteBytes)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		if err := New(cfg).Run(ctx); err == nil {
			t.Error("in ten minutes Run has not said that its producers cannot be made")
		}
	})
}

// A source that begins a minute back begins there, and only where nothing is committed.
func TestSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "copy")
		at := func(value string) { w.put(&kgo.Record{Topic: "lines", Value: []byte(value)}) }
		for _, v := range []string{"a", "b", "c", "d"} {
			at(v)
			time.Sleep(40 * time.Second)
		}
		cfg := w.config(copyPlan(t, copyIn.Since(100*time.Second), func(_, _ string) {}))
		_, stop := w.start(cfg)
		if got := values(w.read("copy", 2)); got != "c d " {
			t.Errorf("began with %q", got)
		}
		stop()
		time.Sleep(time.Hour)
		at("e")
		time.Sleep(time.Hour)
		_, stop = w.start(cfg)
		if got := values(w.read("copy", 3)); got != "c d e " {
			t.Errorf("went on with %q", got)
		}
		stop()
	})
}

// A source that is only read on from what was committed is refused while nothing is.
func TestCommittedOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "copy")
		put := func(value string) { w.put(&kgo.Record{Topic: "lines", Value: []byte(value)}) }
		put("a")
		cfg := w.config(copyPlan(t, copyIn.CommittedOnly(), func(_, _ string) {}))
		if err := w.end(cfg); err == nil || !strings.Contains(err.Error(), "lines[0]") || !strings.Contains(err.Error(), "committed no offset") {
			t.Errorf("began, and ended with %v", err)
		}
		anywhere := w.config(copyPlan(t, copyIn, func(_, _ string) {}))
		_, stop := w.start(anywhere)
		if got := values(w.read("copy", 1)); got != "a " {
			t.Errorf("began with %q", got)
		}
		stop()
		put("b")
		_, stop = w.start(cfg)
		if got := values(w.read("copy", 2)); got != "a b " {
			t.Errorf("went on with %q", got)
		}
		stop()
	})
}
