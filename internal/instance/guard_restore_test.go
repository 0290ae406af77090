package instance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/identity"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

const changelogTopic = "app-counts-changelog"

// A writer is a producer that is not the instance's, with a transaction open.
type writer struct {
	w  *world
	cl *kgo.Client
}

func (w *world) begin(id string) *writer {
	w.t.Helper()
	cl := w.client(kgo.TransactionalID(id), kgo.TransactionTimeout(10*time.Minute), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := cl.BeginTransaction(); err != nil {
		w.t.Fatal(err)
	}
	return &writer{w, cl}
}

// count writes a count to the changelog.
func (wr *writer) count(key string, n int64) {
	wr.w.t.Helper()
	r := &kgo.Record{Topic: changelogTopic, Key: []byte(key), Value: []byte{7: byte(n)}, Timestamp: time.Now()}
	if err := wr.cl.ProduceSync(context.Background(), r).FirstErr(); err != nil {
		wr.w.t.Fatal(err)
	}
}

// consumed commits an offset of "words", as nobody: that is allowed.
func (wr *writer) consumed(offset int64) {
	wr.w.t.Helper()
	id, epoch, err := wr.cl.ProducerID(context.Background())
	if err != nil {
		wr.w.t.Fatal(err)
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, _ = wr.cl.OptValue(kgo.TransactionalID).(string)
	req.Group, req.ProducerID, req.ProducerEpoch = "app", id, epoch
	topic := kmsg.NewTxnOffsetCommitRequestTopic()
	topic.Topic, topic.TopicID = "words", wr.w.c.TopicInfo("words").TopicID
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Offset = offset
	topic.Partitions = append(topic.Partitions, p)
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(context.Background(), wr.cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		wr.w.t.Fatal(err)
	}
}

func (wr *writer) end(how kgo.TransactionEndTry) {
	wr.w.t.Helper()
	if err := wr.cl.EndTransaction(context.Background(), how); err != nil {
		wr.w.t.Error(err)
	}
	wr.cl.Close()
}

// runs runs an instance until it has counted.
func (w *world) runs(cfg Config, want ...string) {
	w.t.Helper()
	_, stop := w.start(cfg)
	w.expectCounts(want...)
	stop()
}

// A process that died with transactions open, when it had more workers than it has
// now, does not wait for them to time out when it comes back.
func TestFenceAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "words", "counts")
		cfg, _ := w.wired("", countKeys(t))
		before, err := identity.Open(cfg.StateDir, "", 4)
		if err == nil {
			err = before.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		w.putKeys("words", "x")
		w.runs(cfg, "x=1")
		dead := w.begin(identity.TransactionalID("app", before.InstanceID, 3))
		defer dead.cl.Close()
		dead.count("x", 9)
		dead.consumed(9)
		w.putKeys("words", "x")
		start := time.Now()
		w.runs(cfg, "x=1", "x=2")
		if took := time.Since(start); took > time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

// Nor does the one that gets the tasks of a process that does not come back.
func TestFenceOfDeparted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "words", "counts")
		cfg, wr := w.wired("a", countKeys(t))
		cfg.TransactionTimeout = 10 * time.Minute
		a, ended := New(cfg), make(chan error, 1)
		go func() { ended <- a.Run(context.Background()) }()
		time.Sleep(time.Minute) // it has the task
		cfg, _ = w.wired("b", countKeys(t))
		_, stop := w.start(cfg)
		time.Sleep(time.Minute)
		var cut atomic.Bool
		wr.set(func(_ string, key kmsg.Key) fate {
			if cut.Load() || key == kmsg.EndTxn && !cut.Swap(true) {
				return vanishes
			}
			return arrives
		})
		w.putKeys("words", "x")
		start := time.Now()
		w.expectCounts("x=1")
		if took := time.Since(start); took > time.Minute {
			t.Errorf("it took %v", took)
		}
		a.fail(errCrash)
		if err := <-ended; !errors.Is(err, errCrash) {
			t.Errorf("ended with %v", err)
		}
		stop()
	})
}

// The offsets are those after every transaction on them, and the changelog is read
// up to where it ends after that, even if its last records come late.
func TestRestoreOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "words", "counts")
		cfg, _ := w.wired("a", countKeys(t))
		w.putKeys("words", "x", "x")
		w.runs(cfg, "x=1", "x=2")
		w.putKeys("words", "x", "x")
		other := w.begin("somebody") // processes the third
		other.consumed(3)
		cfg.StateDir = t.TempDir()
		_, stop := w.start(cfg)
		time.Sleep(5 * time.Second)
		other.count("x", 3)
		other.end(kgo.TryCommit)
		w.expectCounts("x=1", "x=2", "x=4")
		stop()
	})
}

// The changelog is read up to its end, even if somebody has kept a transaction on
// it open for so long that what is committed lies behind that.
func TestRestoreBeyondOpenTransaction(t *testing.T) {
	for _, how := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1, "words", "counts")
			cfg, _ := w.wired("a", countKeys(t))
			_, stop := w.start(cfg)
			w.putKeys("words", "x")
			w.expectCounts("x=1")
			other := w.begin("somebody")
			other.count("y", 7)
			w.putKeys("words", "x")
			w.expectCounts("x=1", "x=2")
			stop()

			cfg.StateDir = t.TempDir()
			_, stop = w.start(cfg)
			w.putKeys("words", "x", "y")
			time.Sleep(time.Minute)
			other.end(how)
			if how == kgo.TryCommit {
				w.expectCounts("x=1", "x=2", "x=3", "y=8")
			} else {
				w.expectCounts("x=1", "x=2", "x=3", "y=1")
			}
			stop()
		})
	}
}

// An input that ends with a marker has been read to its end: the other one need not
// wait for it.
func TestMarkersAreNoLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "rows", "asks", "out")
		rows := w.begin("somebody")
		if err := rows.cl.ProduceSync(context.Background(), record("rows", "k=1")).FirstErr(); err != nil {
			t.Fatal(err)
		}
		rows.end(kgo.TryCommit)
		w.putKeys("asks", "k=a")
		cfg, _ := w.wired("a", asked(t))
		_, stop := w.start(cfg)
		if got := values(w.read("out", 1)); got != "a:1 " {
			t.Errorf("got %q", got)
		}
		stop()
	})
}

// State without offsets, or offsets without their records: the process refuses to
// start, whether it has its local state or not.
func TestLostGround(t *testing.T) {
	for name, c := range map[string]struct {
		lose func(t *testing.T, w *world)
		want []string // what has happened, and the choices
	}{
		"offsets": {func(t *testing.T, w *world) {
			cl := w.client()
			defer cl.Close()
			req := kmsg.NewPtrDeleteGroupsRequest()
			req.Groups = []string{"app"}
			if _, err := req.RequestWith(context.Background(), cl); err != nil {
				t.Fatal(err)
			}
		}, []string{"no committed offsets", changelogTopic + "[0] holds state", "set the group's offsets to where the state was true", `or reset "app", and it starts from nothing`}},
		"records": {func(t *testing.T, w *world) {
			w.putKeys("words", "x", "x")
			if err := w.c.DeleteRecords("words", 0, 3); err != nil {
				t.Fatal(err)
			}
		}, []string{"words[0]: the committed offset 2 is below the start of the log, 3", "raise the topic's retention", "set the group's offsets to where it should go on"}},
	} {
		for _, local := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, 1, "words", "counts")
					cfg, _ := w.wired("a", countKeys(t))
					if disk := memory.New(); local {
						cfg.OpenEngine = func(string) (engine.Engine, error) { return durable{disk}, nil }
					}
					w.putKeys("words", "x", "x")
					w.runs(cfg, "x=1", "x=2")
					c.lose(t, w)
					ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
					defer cancel()
					err := New(cfg).Run(ctx)
					for _, want := range c.want {
						if err == nil || !strings.Contains(err.Error(), want) {
							t.Errorf("local state %v: %v does not say %q", local, err, want)
						}
					}
				})
			})
		}
	}
}

// forget deletes committed offsets, of partition 0 of topics.
func (w *world) forget(topics ...string) {
	w.t.Helper()
	cl := w.client()
	defer cl.Close()
	set := kadm.TopicsSet{}
	for _, topic := range topics {
		set.Add(topic, 0)
	}
	if res, err := kadm.NewClient(cl).DeleteOffsets(context.Background(), "app", set); err != nil || res.Error() != nil {
		w.t.Fatal(res, err)
	}
}

// bare makes the committed offset of a topic's first partition one that another tool has
// committed.
func (w *world) bare(topic string) {
	w.t.Helper()
	cl := w.client()
	defer cl.Close()
	adm := kadm.NewClient(cl)
	offsets, err := adm.FetchOffsets(context.Background(), "app")
	if err != nil {
		w.t.Fatal(err)
	}
	o, _ := offsets.Lookup(topic, 0)
	o.Metadata = ""
	set := kadm.Offsets{}
	set.Add(o.Offset)
	if err := adm.CommitAllOffsets(context.Background(), "app", set); err != nil {
		w.t.Fatal(err)
	}
}

// A group that has committed offsets, but not of all inputs: where those begin is told, in
// one line for each topic, and it is a warning where there is state and it is not known
// whether they had offsets before.
func TestBeginnings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, "rows", "asks", "out", "copied", "copies")
		cfg, _ := w.wired("a", func() *task.Plan {
			b := topology.New()
			rows := b.Table(topology.NewTopic("rows", serde.String, serde.String), store.KeyValue("rows", serde.String, serde.String))
			b.From(topology.NewTopic("asks", serde.String, serde.String)).
				JoinTable(rows, func(_, ask, row string) string { return ask + ":" + row }).
				To(topology.NewTopic("out", serde.String, serde.String))
			b.From(topology.NewTopic("copied", serde.String, serde.String).Latest()).To(topology.NewTopic("copies", serde.String, serde.String))
			return built(t, b)
		}())
		log := &journal{}
		cfg.Log = slog.New(log)
		told := func(message string) (out []string) {
			log.mu.Lock()
			defer log.mu.Unlock()
			for _, e := range log.entries {
				if strings.HasPrefix(e.message, message) {
					out = append(out, fmt.Sprintf("%v%v %v", e.attrs["topic"], e.attrs["partitions"], e.attrs["begins"]))
				}
			}
			return out
		}
		run := func() {
			_, stop := w.start(cfg)
			time.Sleep(20 * time.Second)
			stop()
		}
		const begins, warns = "partitions of a topic begin without", "an input of tasks with state has no committed offset"
		run() // of a new application
		run() // that has begun
		if got := slices.Concat(told(begins), told(warns)); len(got) > 0 {
			t.Errorf("nothing is lost, and it says %q", got)
		}
		w.forget("rows")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := New(cfg).Run(ctx); !errors.Is(err, errLostOffsets) || !strings.Contains(err.Error(), "rows[0]") {
			t.Errorf("an input of a task with state has lost its offset: %v", err)
		}
		if got := slices.Concat(told(begins), told(warns)); len(got) > 0 {
			t.Errorf("it does not start, and says %q", got)
		}
		w.bare("asks")
		w.forget("copied")
		run()
		if got := told(begins); !slices.Equal(got, []string{"copied[0] latest"}) {
			t.Errorf("it says %q", got)
		}
		if got := told(warns); !slices.Equal(got, []string{"rows[0] earliest"}) {
			t.Errorf("it warns of %q", got)
		}
	})
}

// Brokers that are too old are refused before anything is done.
func TestOldBrokers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "words", "counts")
		cl := w.client()
		defer cl.Close()
		req := kmsg.NewPtrUpdateFeaturesRequest()
		f := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
		f.Feature, f.MaxVersionLevel, f.UpgradeType = "transaction.version", 1, 2
		req.FeatureUpdates = append(req.FeatureUpdates, f)
		if resp, err := req.RequestWith(context.Background(), cl); err != nil || resp.ErrorCode != 0 {
			t.Fatal(resp, err)
		}
		cfg, _ := w.wired("a", countKeys(t))
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := New(cfg).Run(ctx); !errors.Is(err, kafka.ErrBroker) {
			t.Errorf("ended with %v", err)
		}
		if w.c.TopicInfo(changelogTopic) != nil {
			t.Error("it has begun")
		}
	})
}

// An empty value and none are different in a table, before and after it is restored.
func TestNullIsNull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "rows", "asks", "out")
		cfg, _ := w.wired("a", asked(t))
		w.putKeys("rows", "empty=1", "gone=1", "empty", "gone=nil")
		time.Sleep(time.Second) // of one time, they would take turns
		w.putKeys("asks", "empty=a", "gone=b")
		for i, want := range []string{"a: b:none ", "a: b:none a: b:none "} {
			_, stop := w.start(cfg)
			if got := values(w.read("out", 2*i+2)); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			stop()
			cfg.StateDir = t.TempDir()
			w.putKeys("asks", "empty=a", "gone=b")
		}
	})
}

// asked answers the records of "asks" with the rows of the table "rows".
func asked(t *testing.T) *task.Plan {
	t.Helper()
	b := topology.New()
	rows := b.Table(topology.NewTopic("rows", serde.String, serde.String), store.KeyValue("rows", serde.String, serde.String))
	b.From(topology.NewTopic("asks", serde.String, serde.String)).
		LeftJoinTable(rows, func(_, ask string, row topology.Opt[string]) string {
			return ask + ":" + row.Or("none")
		}).
		To(topology.NewTopic("out", serde.String, serde.String))
	return built(t, b)
}
