package operate_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/layout"
	"github.com/leatstream/leat/internal/operate"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

// refused starts the application, and returns why it does not run.
func (f *fixture) refused() error {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), 20*time.Second)
	defer cancel()
	err := f.app("one", 0).Run(ctx)
	if err == nil {
		f.Error("it runs")
		return errors.New("")
	}
	return err
}

func (f *fixture) reset(to operate.Target, keepState bool) *operate.Plan {
	f.Helper()
	p, err := f.open().Reset(f.Context(), to, keepState)
	if err != nil {
		f.Fatal(err)
	}
	return p
}

// counts runs the application until it has written these counts.
func (f *fixture) counts(want ...int64) {
	f.Helper()
	stop := f.run()
	if got := f.read(len(want)); !slices.Equal(got, want) {
		f.Errorf("counted %v, want %v", got, want)
	}
	stop()
}

// A source that has grown makes starts be refused until the application is reset. What
// does not fit then keeps nobody from looking, or from resetting.
func TestGrownSource(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.write(3)
	f.counts(1, 2, 3)
	if a := f.open(); a.Faults != nil || a.Misfits != nil {
		t.Errorf("before: %v, %v", a.Faults, a.Misfits)
	}
	if _, err := kadm.NewClient(f.cl).UpdatePartitions(t.Context(), 4, "words"); err != nil {
		t.Fatal(err)
	}
	if err := f.refused(); !strings.Contains(err.Error(), "app-by-word-repartition\" has 2 partitions and needs 4") || !strings.Contains(err.Error(), "reset the application") {
		t.Errorf("it ended with %v", err)
	}
	a := f.open()
	v, err := a.Tasks(t.Context())
	if err != nil || len(v.Inputs) != 8 || a.Misfits == nil || !strings.Contains(a.Misfits.Error(), "app-counts-changelog") {
		t.Errorf("%d inputs, %v: %v, %v", len(v.Inputs), err, a.Faults, a.Misfits)
	}
	if p := f.reset(operate.Target{}, true); p.Remains == nil {
		t.Error("state that is kept does not fit, and nothing is said of it")
	}
	p := f.reset(operate.Target{}, false)
	if p.Remains != nil || len(p.Topics) != 2 {
		t.Errorf("%v are deleted, %v remains", p.Topics, p.Remains)
	}
	if err := p.Execute(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	f.counts(1, 2, 3)
}

// A source topic that does not exist may be a wrong name, and the reset one of something
// else than was meant.
func TestMissingSource(t *testing.T) {
	t.Parallel()
	f := setup(t)
	if _, err := kadm.NewClient(f.cl).DeleteTopics(t.Context(), "words"); err != nil {
		t.Fatal(err)
	}
	a := f.open()
	if _, err := a.Tasks(t.Context()); err != nil || a.Faults == nil {
		t.Errorf("tasks: %v, %v", err, a.Faults)
	}
	if _, err := a.Reset(t.Context(), operate.Target{}, false); !errors.Is(err, layout.ErrNoTopic) {
		t.Errorf("reset: %v", err)
	}
}

// commitTxn adds an offset of a topic's partition 0 to a producer's open transaction.
func (f *fixture) commitTxn(cl *kgo.Client, id, topic string, offset int64) {
	f.Helper()
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.Generation = id, "app", -1
	var err error
	if req.ProducerID, req.ProducerEpoch, err = cl.ProducerID(f.Context()); err != nil {
		f.Fatal(err)
	}
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Offset = offset
	t := kmsg.NewTxnOffsetCommitRequestTopic()
	t.Topic, t.TopicID, t.Partitions = topic, f.cluster.TopicInfo(topic).TopicID, append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(f.Context(), cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		f.Fatal(err)
	}
}

// A process that was killed may have left a transaction open: a reset waits for its end.
func TestResetWaitsForOpenTransaction(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.write(3)
	f.counts(1, 2, 3)
	cl, err := kgo.NewClient(kgo.SeedBrokers(f.seed...), kgo.TransactionalID("killed"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "app-old-changelog"}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	f.commitTxn(cl, "killed", "words", 1)
	p := f.reset(operate.Target{}, false)
	var asked atomic.Int32
	f.cluster.ControlKey(int16(kmsg.OffsetFetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		f.cluster.KeepControl()
		if req.(*kmsg.OffsetFetchRequest).RequireStable && asked.Add(1) == 2 {
			go cl.EndTransaction(context.Background(), kgo.TryAbort)
		}
		return nil, nil, false
	})
	if err := p.Execute(t.Context(), false); err != nil {
		t.Error(err)
	}
	if n := asked.Load(); n < 2 {
		t.Errorf("the offsets were asked for %d times", n)
	}
}

// refuse makes the cluster refuse the first such request in which it refuses anything.
func (f *fixture) refuse(key kmsg.Key, topic string) {
	code := kerr.TopicAuthorizationFailed.Code
	f.cluster.ControlKey(int16(key), func(r kmsg.Request) (kmsg.Response, error, bool) {
		resp := r.ResponseKind()
		switch resp := resp.(type) {
		case *kmsg.OffsetDeleteResponse:
			resp.ErrorCode = kerr.GroupAuthorizationFailed.Code
		case *kmsg.OffsetCommitResponse:
			for _, t := range r.(*kmsg.OffsetCommitRequest).Topics {
				rt := kmsg.NewOffsetCommitResponseTopic()
				rt.Topic, rt.TopicID = t.Topic, t.TopicID
				for _, p := range t.Partitions {
					rt.Partitions = append(rt.Partitions, kmsg.OffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: code})
				}
				resp.Topics = append(resp.Topics, rt)
			}
		case *kmsg.DeleteTopicsResponse:
			for _, t := range r.(*kmsg.DeleteTopicsRequest).Topics {
				if *t.Topic != topic {
					return nil, nil, false
				}
				rt := kmsg.NewDeleteTopicsResponseTopic()
				rt.Topic, rt.ErrorCode = t.Topic, code
				resp.Topics = append(resp.Topics, rt)
			}
		}
		return resp, nil, true
	})
}

// A reset that ends half-way leaves what a start refuses, or what it goes on from rightly:
// never state beside offsets that it does not belong to.
func TestResetHalfWay(t *testing.T) {
	t.Parallel()
	direct := topology.New()
	direct.From(topology.NewTopic("words", serde.String, serde.String)).Count(store.KeyValue("counts", serde.String, serde.Int64)).
		Stream().To(topology.NewTopic("counts", serde.String, serde.Int64))
	counting, err := direct.Build()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		top    *topology.Topology // nil: the fixture's, which repartitions
		key    kmsg.Key
		topic  string
		counts []int64 // of a start; nil: it is refused
	}{
		"offsets stay":            {key: kmsg.OffsetDelete, counts: []int64{4}},
		"repartition topics stay": {key: kmsg.DeleteTopics, topic: "app-by-word-repartition"},
		"changelogs stay":         {key: kmsg.DeleteTopics, topic: "app-counts-changelog"},
		"none are set":            {key: kmsg.OffsetCommit, counts: []int64{1, 2, 3, 4}},
		"direct, offsets stay":    {top: counting, key: kmsg.OffsetDelete, counts: []int64{4}},
		"direct, changelogs stay": {top: counting, key: kmsg.DeleteTopics, topic: "app-counts-changelog"},
		"direct, none are set":    {top: counting, key: kmsg.OffsetCommit, counts: []int64{1, 2, 3, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			f.top = cmp.Or(c.top, f.top)
			f.write(3)
			f.counts(1, 2, 3)
			f.write(1)
			p := f.reset(operate.Target{}, false)
			f.refuse(c.key, c.topic)
			if err := p.Execute(t.Context(), false); err == nil {
				t.Fatal("nothing was refused")
			}
			if c.counts != nil {
				f.counts(c.counts...)
			} else if err := f.refused(); !strings.Contains(err.Error(), "no committed offsets") {
				t.Errorf("a start: %v", err)
			}
			if err := f.reset(operate.Target{}, false).Execute(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			f.counts(1, 2, 3, 4)
		})
	}
}
