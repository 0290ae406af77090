package instance

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatstream/leat/internal/assign"
	"github.com/leatstream/leat/internal/changelog"
	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/member"
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

// A journal is a log that a test reads.
type journal struct {
	mu      sync.Mutex
	entries []entry
}

type entry struct {
	at      time.Time
	message string
	attrs   map[string]slog.Value
}

func (j *journal) Enabled(context.Context, slog.Level) bool { return true }
func (j *journal) WithAttrs([]slog.Attr) slog.Handler       { return j }
func (j *journal) WithGroup(string) slog.Handler            { return j }

func (j *journal) Handle(_ context.Context, r slog.Record) error {
	e := entry{r.Time, r.Message, map[string]slog.Value{}}
	r.Attrs(func(a slog.Attr) bool { e.attrs[a.Key] = a.Value; return true })
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, e)
	return nil
}

// since returns the entries with a message that are not older than at.
func (j *journal) since(at time.Time, message string) (out []entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.entries {
		if e.message == message && !e.at.Before(at) {
			out = append(out, e)
		}
	}
	return out
}

// replicated is a host with standby copies, and its log.
func (w *world) replicated(h *host, r member.Replicas) *journal {
	j := &journal{}
	h.cfg.Replicas, h.cfg.Log = r, slog.New(j)
	h.cfg.FlushInterval = 10 * time.Second
	return j
}

// A process dies. The one that stood by has its state: it replays next to nothing.
func TestStandbyTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, "lines", "counts")
		plan := wordCount(t)
		a, b := w.host(plan, 1), w.host(plan, 2)
		w.replicated(a, member.Replicas{Standbys: 1, AcceptableLag: 10})
		log := w.replicated(b, member.Replicas{Standbys: 1, AcceptableLag: 10})

		dying, die := context.WithCancel(context.Background())
		dead := make(chan error)
		go func() { dead <- a.crash(dying, a.cfg) }()
		w.produce("lines", 0, 300)
		time.Sleep(20 * time.Second)
		in, stop := w.start(b.cfg)
		time.Sleep(30 * time.Second)
		w.produce("lines", 300, 300)
		time.Sleep(20 * time.Second)
		if n := len(in.Status().Running); n != 3 {
			t.Fatalf("the second process runs %d tasks of 6", n)
		}
		die()
		<-dead
		crashed := time.Now()
		time.Sleep(30 * time.Second)
		w.produce("lines", 600, 100)
		time.Sleep(10 * time.Second)
		if n := len(in.Status().Running); n != 6 {
			t.Errorf("the survivor runs %d tasks of 6", n)
		}
		restored := log.since(crashed, "restored store")
		for _, e := range restored {
			if e.attrs["from"].Int64() == 0 || e.attrs["records"].Int64() > 10 {
				t.Errorf("restored %v from %v: %v records; it stood by", e.attrs["partition"], e.attrs["from"], e.attrs["records"])
			}
		}
		if len(restored) == 0 {
			t.Error("nothing was taken over")
		}
		w.checkCounts("counts", 700)
		stop()
	})
}

// A process joins without state. It gets the tasks only when it has caught up.
func TestWarmUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, "lines", "counts")
		plan := wordCount(t)
		a, b := w.host(plan, 1), w.host(plan, 2)
		w.replicated(a, member.Replicas{AcceptableLag: 3})
		log := w.replicated(b, member.Replicas{AcceptableLag: 3})
		_, stopA := w.start(a.cfg)
		for i := range 100 {
			w.produce("lines", i, 1)
			time.Sleep(200 * time.Millisecond)
		}
		time.Sleep(20 * time.Second)
		began := time.Now()
		in, stopB := w.start(b.cfg)
		w.produce("lines", 100, 100)
		time.Sleep(60 * time.Second)
		warm, restored := log.since(began, "caught up with the state of a task that is to move here"), log.since(began, "restored store")
		if len(warm) == 0 || len(restored) == 0 || restored[0].at.Before(warm[0].at) {
			t.Errorf("warm: %v, restored: %v", warm, restored)
		}
		for _, e := range restored {
			if e.attrs["records"].Int64() > 10 {
				t.Errorf("restored %v from %v: %v records; it was warm", e.attrs["partition"], e.attrs["from"], e.attrs["records"])
			}
		}
		if n := len(in.Status().Running); n != 3 {
			t.Errorf("the newcomer runs %d tasks of 6", n)
		}
		stopA()
		w.checkCounts("counts", 200)
		stopB()
	})
}

// A task runs where its copy was, and goes, before the follower looks at what is wanted: the
// copy is opened anew, at the position that the task has left.
func TestCopyIsOpenedAnewAfterItsTask(t *testing.T) {
	t.Parallel()
	ran, other := assign.Task{Partition: 1}, assign.Task{Partition: 2}
	both := []assign.Task{ran, other}
	in := &Instance{log: slog.New(slog.DiscardHandler)}
	f := in.followerWith(nil, nil)
	in.follower = f
	in.Follow(both, nil)
	f.begin(t.Context())
	for _, c := range both {
		f.copies[c] = &replica{}
	}
	f.end()
	if err := f.drop(t.Context(), ran); err != nil {
		t.Fatal(err)
	}
	in.Follow(both, nil)
	if _, wanted := f.begin(t.Context()); len(wanted) != 2 || f.copies[ran] != nil || f.copies[other] == nil {
		t.Errorf("it wants %v, and goes on with %v", wanted, f.copies)
	}
	f.end()
}

// While the follower writes a copy, the copy's task is not opened on it.
func TestTaskWaitsForItsCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &Instance{log: slog.New(slog.DiscardHandler)}
		f := in.followerWith(nil, nil)
		in.follower = f
		in.Follow([]assign.Task{{}}, nil)
		round, _ := f.begin(t.Context())
		dropped := make(chan error, 1)
		go func() { dropped <- f.drop(t.Context(), assign.Task{}) }()
		synctest.Wait()
		if len(dropped) > 0 || round.Err() == nil {
			t.Errorf("the task has its state: %v; the follower is told to stop: %v", len(dropped) > 0, round.Err() != nil)
		}
		f.end()
		if err := <-dropped; err != nil {
			t.Error(err)
		}
	})
}

// A looseEngine notes which writes a crash may lose.
type looseEngine struct {
	engine.Engine
	loose []bool
}

func (e *looseEngine) Write(b *engine.Batch) error {
	e.loose = append(e.loose, b.Loose)
	return e.Engine.Write(b)
}

// A copy that lacks much is written as a restore is, which may be lost; one that keeps up stays.
// If the last that was lacking is much, what is written after it makes it stay.
func TestCopyIsDurableOnceItKeepsUp(t *testing.T) {
	t.Parallel()
	eng := &looseEngine{Engine: memory.New()}
	store, err := state.Open(eng, engine.Namespace{Store: "counts"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	in := &Instance{cfg: Config{Replicas: member.Replicas{AcceptableLag: 10}}}
	r := &replay{in: in, store: store, own: true, hasOffsets: true, follows: true, intake: task.Store{}.Intake("app", "0_0", 0, task.Policies{})}
	if r.restorer, err = state.NewRestorer(store); err != nil {
		t.Fatal(err)
	}
	eng.loose = nil
	for next, end := int64(1), int64(14); next <= end; next++ {
		record := changelog.Record{Key: []byte("k"), Value: []byte("v"), Offset: next - 1}
		if err := r.apply(changelog.Batch{Records: []changelog.Record{record}, Next: next, End: end}); err != nil {
			t.Fatal(err)
		}
	}
	if want := append(slices.Repeat([]bool{true}, 3), slices.Repeat([]bool{false}, 11)...); !slices.Equal(eng.loose, want) {
		t.Errorf("loose: %v", eng.loose)
	}
	for i, c := range []struct {
		end   int64
		loose []bool
	}{{15, []bool{false}}, {100, []bool{true}}, {17, []bool{true, false}}, {18, []bool{false}}} {
		eng.loose = nil
		next := int64(15 + i)
		record := changelog.Record{Key: []byte("k"), Value: make([]byte, restoreBytes), Offset: next - 1}
		if err := r.apply(changelog.Batch{Records: []changelog.Record{record}, Next: next, End: c.end}); err != nil {
			t.Fatal(err)
		}
		if pos, ok := store.Position(); !ok || pos.Offset != next || !slices.Equal(eng.loose, c.loose) {
			t.Errorf("much at once, up to %d of %d: loose %v, want %v, at %v", next, c.end, eng.loose, c.loose, pos)
		}
	}
}

// Each request for a task is a rebalance: tasks that are warm at nearly the same time are asked
// for together, and one that is waits no longer than that for the others.
func TestWarmTasksAreAskedForTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := New(Config{Replicas: member.Replicas{AcceptableLag: 10}, Log: slog.New(slog.DiscardHandler)})
		asked := 0
		f := in.followerWith(nil, func() { asked++ })
		wanted := map[assign.Task]bool{}
		lag := func(p int32, end int64) assign.Task {
			task := assign.Task{Partition: p}
			if f.copies[task] == nil {
				store, err := state.Open(memory.New(), engine.Namespace{Store: "counts", Partition: p}, nil)
				if err != nil {
					t.Fatal(err)
				}
				r := &replay{in: in, store: store, own: true, follows: true}
				if r.restorer, err = state.NewRestorer(store); err != nil {
					t.Fatal(err)
				}
				f.copies[task] = &replica{replays{{Topic: "counts", Partition: p}: {r}}}
				wanted[task] = true
			}
			for _, r := range f.copies[task].replays.all() {
				r.end = end
			}
			return task
		}
		var g gathering
		step := func(task assign.Task, want int) {
			t.Helper()
			if err := f.warm(&g, task, wanted); err != nil || asked != want {
				t.Errorf("asked %d times, want %d: %v", asked, want, err)
			}
		}
		a, b, c := lag(0, 100), lag(1, 100), lag(2, 100)
		step(a, 0) // it lacks much
		step(lag(0, 10), 0)
		time.Sleep(together - 1)
		step(a, 0)
		step(lag(1, 0), 0)
		step(lag(2, 0), 1) // all are warm
		time.Sleep(warmInterval)
		lag(0, 100)
		step(b, 1)
		time.Sleep(together)
		step(c, 2)          // and a is not waited for
		step(b, 2)          // which has been told of, too
		step(lag(0, 10), 3) // nor are those that have been told of
		time.Sleep(warmInterval - 1)
		step(b, 3)
	})
}

// limits joins asks with a table whose changelog is the topic that it is read from.
func limits(t *testing.T) *task.Plan {
	t.Helper()
	b := topology.New()
	table := b.Table(topology.NewTopic("limits", serde.String, serde.String), store.KeyValue("limits", serde.String, serde.String), topology.SourceAsChangelog())
	b.From(topology.NewTopic("asks", serde.String, serde.String)).
		LeftJoinTable(table, func(_, v string, row topology.Opt[string]) string { return v + row.Or("") }).
		To(topology.NewTopic("out", serde.String, serde.String))
	return built(t, b)
}

// A table whose changelog is a source topic warms up where its task is to move to, and is
// stood by: both up to where the group has committed the topic.
func TestSourceAsChangelogIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, "limits", "asks", "out")
		w.compact("limits")
		plan := limits(t)
		a, b := w.host(plan, 1), w.host(plan, 2)
		w.replicated(a, member.Replicas{Standbys: 1, AcceptableLag: 3})
		log := w.replicated(b, member.Replicas{Standbys: 1, AcceptableLag: 3})
		dying, die := context.WithCancel(context.Background())
		dead := make(chan error)
		go func() { dead <- a.crash(dying, a.cfg) }()
		w.produce("limits", 0, 100)
		time.Sleep(30 * time.Second)

		in, stop := w.start(b.cfg)
		time.Sleep(time.Minute)
		warm, restored := log.since(time.Time{}, "caught up with the state of a task that is to move here"), log.since(time.Time{}, "restored store")
		if len(warm) == 0 || len(restored) != 1 || restored[0].at.Before(warm[0].at) {
			t.Fatalf("warm: %v, restored: %v", warm, restored)
		}
		w.produce("limits", 100, 100)
		time.Sleep(sourceInterval + 5*time.Second)
		held := in.held()
		for p := range int32(2) {
			tp := kafka.TopicPartition{Topic: "limits", Partition: p}
			committed, err := in.logs.FetchCommitted(t.Context(), []kafka.TopicPartition{tp})
			if at := committed[tp].Offset; err != nil || at < 80 || held[assign.Task{Partition: p}] != at {
				t.Errorf("%s is committed up to %d, and the state is held up to %d: %v", tp, at, held[assign.Task{Partition: p}], err)
			}
		}
		die()
		<-dead
		crashed := time.Now()
		time.Sleep(30 * time.Second)
		if n := len(in.Status().Running); n != 2 {
			t.Errorf("the survivor runs %d tasks of 2", n)
		}
		for _, e := range append(restored, log.since(crashed, "restored store")...) {
			if e.attrs["from"].Int64() == 0 || e.attrs["records"].Int64() > 3 {
				t.Errorf("restored %v from %v: %v records; it was followed", e.attrs["partition"], e.attrs["from"], e.attrs["records"])
			}
		}
		if len(log.since(crashed, "restored store")) == 0 {
			t.Error("nothing was taken over")
		}
		stop()
	})
}

// Copying rests as long as it has worked, but not after every record; and not when it is over.
func TestPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var p pace
		rests := func(worked, want time.Duration) {
			t.Helper()
			began := time.Now()
			if p.rest(ctx, worked); time.Since(began) != want {
				t.Errorf("after %v it rests %v, want %v", worked, time.Since(began), want)
			}
		}
		rests(3*time.Millisecond, 0)
		rests(4*time.Millisecond, 7*time.Millisecond)
		rests(time.Millisecond, 0)
		rests(time.Minute, time.Second)
		cancel()
		rests(time.Second, 0)
	})
}
