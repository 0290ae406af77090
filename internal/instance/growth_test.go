package instance

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/assign"
	"github.com/leatstream/leat/internal/layout"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/topology"
)

// grow gives a topic more partitions.
func (w *world) grow(topic string, partitions int) {
	w.t.Helper()
	cl := w.client()
	defer cl.Close()
	resp, err := kadm.NewClient(cl).UpdatePartitions(context.Background(), partitions, topic)
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// outgrown runs an instance, has a topic grow from one partition to two, and expects that
// the instance ends soon, and says why and what to do.
func (w *world) outgrown(cfg Config, topic string) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- New(cfg).Run(ctx) }()
	time.Sleep(12 * time.Second)
	w.grow(topic, 2)
	select {
	case err := <-ended:
		want := `topic "` + topic + `" has gained partitions: it had 1 when this process started, and has 2 now; start it again`
		if err == nil || !strings.Contains(err.Error(), want) {
			w.t.Errorf("ended with %v, want %s", err, want)
		}
	case <-time.After(endsInterval + time.Second):
		w.t.Errorf("%v after topic %s has grown the process goes on without its new partition", endsInterval, topic)
		cancel()
		<-ended
	}
}

// putAt writes a record to a partition.
func (w *world) putAt(topic string, partition int32, key, value string) {
	w.t.Helper()
	cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer cl.Close()
	if err := cl.ProduceSync(context.Background(), &kgo.Record{Topic: topic, Partition: partition, Key: []byte(key), Value: []byte(value)}).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// What is in the new partitions of a source is no task's before the process starts again.
func TestSourceTopicGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "copy")
		cfg := w.config(copyPlan(t, copyIn, func(_, _ string) {}))
		w.outgrown(cfg, "lines")
		w.putAt("lines", 1, "k", "new")
		_, stop := w.start(cfg)
		if got := values(w.read("copy", 1)); got != "new " {
			t.Errorf("started again it has %q", got)
		}
		stop()
	})
}

// A task reads two topics of different partition counts (Merge). The smaller one grows, to
// no more than the greater one has: there is no new task, but one that was there would
// have another input.
func TestSmallerSourceGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, "copy", "more")
		cl := w.client()
		if _, err := kadm.NewClient(cl).CreateTopic(t.Context(), 1, -1, nil, "lines"); err != nil {
			t.Fatal(err)
		}
		cl.Close()
		b := topology.New()
		b.From(copyIn, topology.NewTopic("more", serde.String, serde.String)).To(copyOut)
		cfg := w.config(built(t, b))
		w.outgrown(cfg, "lines")
		w.putAt("lines", 1, "k", "new")
		_, stop := w.start(cfg)
		if got := values(w.read("copy", 1)); got != "new " {
			t.Errorf("started again it has %q", got)
		}
		stop()
	})
}

// The group reads no topic of a global table: its rows in new partitions would be missing
// in joins until somebody happens to start the process again.
func TestGlobalTopicGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "rows", "asks", "out")
		cfg := w.config(answered(t))
		w.putAt("rows", 0, "a", "1")
		w.outgrown(cfg, "rows")
		w.putAt("rows", 1, "b", "2")
		for _, key := range []string{"a", "b"} {
			w.fact("asks", "k", key)
		}
		_, stop := w.start(cfg)
		if got := values(w.read("out", 2)); got != "a:1 b:2 " {
			t.Errorf("started again it answers %q", got)
		}
		stop()
	})
}

// A task that the group gives has the inputs which this process has seen, or the process
// says of which topic they differ.
func TestMisfit(t *testing.T) {
	sub := &layout.Sub{Topics: []string{"less", "more"}, Counts: []int32{1, 2}}
	for _, c := range []struct {
		partition int32
		given     []string
		want      []string // in the error; nil: it fits
	}{
		{0, []string{"less", "more"}, nil},
		{1, []string{"more"}, nil},
		{1, []string{"less", "more"}, []string{"task 0_1", `"less"`, "it had 1", "has 2 or more now", "start it again"}},
		{2, []string{"more"}, []string{"task 0_2", `"more"`, "it had 2", "has 3 or more now", "start it again"}},
		{0, []string{"more"}, []string{"task 0_0", "partition 0", `"less"`, "which has 1", "start this process again"}},
	} {
		err := misfit(assign.Task{Partition: c.partition}, sub, c.given)
		if (err != nil) != (c.want != nil) {
			t.Errorf("partition %d of %v: %v", c.partition, c.given, err)
		}
		for _, part := range c.want {
			if err != nil && !strings.Contains(err.Error(), part) {
				t.Errorf("partition %d of %v: %v, want %s in it", c.partition, c.given, err, part)
			}
		}
	}
}
