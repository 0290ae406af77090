package operate_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/operate"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/streams"
	"github.com/leatstream/leat/pkg/topology"
)

// A fixture is an application that counts words, and a cluster for it.
type fixture struct {
	*testing.T
	cluster *kfake.Cluster
	cl      *kgo.Client
	top     *topology.Topology
	seed    []string
}

func setup(t *testing.T) *fixture {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "words"), kfake.SeedTopics(1, "counts", "app-old-changelog"),
		kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": "1000000000000", "default.replication.factor": "1"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	f := &fixture{T: t, cluster: cluster, seed: cluster.ListenAddrs()}
	if f.cl, err = kgo.NewClient(kgo.SeedBrokers(f.seed...), kgo.ConsumeTopics("counts"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.cl.Close)
	b := topology.New()
	b.From(topology.NewTopic("words", serde.String, serde.String)).
		KeyBy(topology.NewRepartition("by-word", serde.String, serde.String), func(_, w string) string { return w }).
		Count(store.KeyValue("counts", serde.String, serde.Int64)).
		Stream().To(topology.NewTopic("counts", serde.String, serde.Int64))
	if f.top, err = b.Build(); err != nil {
		t.Fatal(err)
	}
	return f
}

// run starts a process of the application, which the returned function stops.
func (f *fixture) run() (stop func()) { return f.runAs("one", 0) }

func (f *fixture) app(instance string, standbys int) *streams.App {
	f.Helper()
	app, err := streams.New(f.top, streams.Config{
		Application: "app", Brokers: f.seed, Logger: slog.New(slog.DiscardHandler),
		Membership: streams.Membership{InstanceID: instance}, Standby: streams.Standby{Replicas: standbys},
	})
	if err != nil {
		f.Fatal(err)
	}
	return app
}

func (f *fixture) runAs(instance string, standbys int) (stop func()) {
	f.Helper()
	app := f.app(instance, standbys)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			f.Error(err)
		}
	}
}

// read returns the next n counts.
func (f *fixture) read(n int) (counts []int64) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), time.Minute)
	defer cancel()
	for len(counts) < n && ctx.Err() == nil {
		f.cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			count, _ := serde.Int64.Decode(r.Value)
			counts = append(counts, count)
		})
	}
	return counts
}

func (f *fixture) open() *operate.Application {
	f.Helper()
	a, err := operate.Open(f.Context(), f.cl, "app", f.top.Plan())
	if err != nil {
		f.Fatal(err)
	}
	return a
}

func (f *fixture) write(n int) {
	f.Helper()
	for range n {
		if err := f.cl.ProduceSync(f.Context(), &kgo.Record{Topic: "words", Key: []byte("k"), Value: []byte("word")}).FirstErr(); err != nil {
			f.Fatal(err)
		}
	}
}

// Each task that has state is followed by the process that does not run it.
func TestStandbys(t *testing.T) {
	t.Parallel()
	f := setup(t)
	defer f.runAs("one", 1)()
	defer f.runAs("two", 1)()
	f.write(3)
	f.read(3)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		v, err := f.open().Tasks(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		owners := map[string]string{}
		for _, in := range v.Inputs {
			owners[in.Task] = in.Owner
		}
		ends := int64(0)
		var copies []string
		for _, s := range v.Standbys {
			if s.Owner != owners[s.Task] && !s.Warming {
				copies = append(copies, s.Task)
			}
			if ends += s.End; s.Lag() > s.End || s.Lag() < s.End-max(s.Position, 0) {
				t.Errorf("%+v lacks %d", s, s.Lag())
			}
		}
		if slices.Equal(copies, []string{"1_0", "1_1"}) && ends > 0 {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("standbys %+v of %v", v.Standbys, owners)
		}
	}
}

// A reset of what runs is refused; one of what is stopped makes it begin anew, and all
// that it counts is counted from 1.
func TestTasksAndReset(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.write(3)
	stop := f.run()
	if got := f.read(3); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Fatalf("counted %v", got)
	}
	v, err := f.open().Tasks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lag, owned := int64(0), 0
	for _, in := range v.Inputs {
		lag += in.Lag()
		if in.Owner == "one" {
			owned++
		}
	}
	if v.Members != 1 || len(v.Inputs) != 4 || owned != 4 || lag > 2 { // markers, if the last commit is not there yet
		t.Errorf("%d members, %d inputs, %d of one, lag %d", v.Members, len(v.Inputs), owned, lag)
	}
	plan, err := f.open().Reset(t.Context(), operate.Target{}, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Execute(t.Context(), false); !errors.Is(err, operate.ErrActive) {
		t.Errorf("a reset of what runs: %v", err)
	}
	stop()
	if plan, err = f.open().Reset(t.Context(), operate.Target{}, false); err != nil {
		t.Fatal(err)
	}
	if want := []string{"app-by-word-repartition", "app-counts-changelog"}; !slices.Equal(plan.Topics, want) || !slices.Equal(plan.Strangers, []string{"app-old-changelog"}) || len(plan.Members) > 0 {
		t.Errorf("the plan is %+v", plan)
	}
	if err := plan.Execute(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	stop = f.run()
	if got := f.read(3); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Errorf("after the reset: counted %v", got)
	}
	stop()
}

// Targets are resolved to offsets of the source topics, and of them alone.
func TestResetTargets(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.write(5)
	stop := f.run()
	f.read(5)
	stop()
	for name, c := range map[string]struct {
		to operate.Target
		at int64 // the sum over words
	}{
		"latest":    {operate.Target{Kind: operate.Latest}, 5},
		"datetime":  {operate.Target{Kind: operate.Datetime, At: time.Now().Add(-time.Hour)}, 0},
		"in future": {operate.Target{Kind: operate.Datetime, At: time.Now().Add(time.Hour)}, 5},
		"nowhere":   {operate.Target{Kind: operate.Nowhere}, -1},
	} {
		plan, err := f.open().Reset(t.Context(), c.to, true)
		if err != nil {
			t.Fatal(err)
		}
		if err := plan.Execute(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		offsets, err := kadm.NewClient(f.cl).FetchOffsets(t.Context(), "app")
		if err != nil {
			t.Fatal(err)
		}
		sum, any := int64(0), false
		offsets.Each(func(o kadm.OffsetResponse) {
			if o.Topic == "words" && o.At >= 0 {
				sum, any = sum+o.At, true
			}
		})
		if !any {
			sum = -1
		}
		if sum != c.at || len(plan.Topics) > 0 {
			t.Errorf("%s: at %d, want %d; topics %v are deleted", name, sum, c.at, plan.Topics)
		}
	}
}
