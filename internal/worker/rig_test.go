package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/assign"
	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/fetch"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/kafka/kafkatest"
	"github.com/leatstream/leat/internal/member"
	"github.com/leatstream/leat/internal/offsetmeta"
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/task"
)

// A rig is a worker and its fetcher on a cluster under a virtual clock. It has no
// member: the test says who owns the tasks. The group is real, with a member in it,
// so that the broker checks what it always checks.
type rig struct {
	*kafkatest.Cluster
	t     *testing.T
	cl    *kgo.Client
	group *kafka.Group
	owner *owner
	eng   engine.Engine
	cfg   Config
	w     *Worker
	f     *fetch.Fetcher
	ended chan error

	stopFetching func() // ends the fetcher, while there are brokers to take leave of

	mu struct {
		sync.Mutex
		reopened []*Run
		seen     map[kmsg.Key]int // requests that the brokers got
	}
}

const (
	in        = "in"
	out       = "out"
	changelog = "app-counts-changelog"

	brief   = "brief" // keys that take some time to count
	slow    = "slow"
	endless = "endless" // longer than the transaction may take

	patience = 30 * time.Second // more than anything takes
)

// inRig runs f with a worker that has no runs yet.
func inRig(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, ended: make(chan error, 1), eng: memory.New()}
		r.Cluster = kafkatest.Start(t, kfake.SeedTopics(2, in, out, changelog))
		r.cl = r.Client()
		r.mu.seen = map[kmsg.Key]int{}
		r.group = &kafka.Group{Name: "app", IDs: map[string][16]byte{in: r.TopicInfo(in).TopicID}}
		r.owner = &owner{id: r.join(), lost: map[assign.Task]bool{}}
		r.Control(func(req kmsg.Request) (kmsg.Response, error, bool) {
			r.KeepControl()
			r.mu.Lock()
			defer r.mu.Unlock()
			r.mu.seen[kmsg.Key(req.Key())]++
			return nil, nil, false
		})
		r.start()
		f(t, r)
		r.end()
		r.stopFetching()
	})
}

// join makes a member of the group, of its first generation, which stays.
func (r *rig) join() member.Identity {
	r.t.Helper()
	cl := r.Client(kgo.ConsumerGroup("app"), kgo.ConsumeTopics(in), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if _, err := r.WaitGroupStable(r.t.Context(), "app", 1); err != nil {
		r.t.Fatal(err)
	}
	for {
		if id, generation := cl.GroupMetadata(); id != "" {
			return member.Identity{MemberID: id, Generation: generation}
		}
		time.Sleep(time.Millisecond)
	}
}

func (r *rig) start() {
	var cache atomic.Int64
	cache.Store(1 << 20)
	r.cfg = Config{
		TransactionalID: "app-rig-0", TransactionTimeout: 10 * time.Second, CommitInterval: 100 * time.Millisecond,
		Linger: 5 * time.Millisecond, FlushInterval: time.Second, FlushBytes: 1 << 20, MaxRecord: 1 << 20, BufferBytes: 4 << 20, BufferRecords: 1 << 17,
		Engine: r.eng, CacheBytes: &cache, Kafka: Brokers{r.Opts, r.group, r.cl}, Owner: r.owner, Log: slog.New(slog.DiscardHandler),
		Reopen: func(runs []*Run, _ error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.mu.reopened = append(r.mu.reopened, runs...)
		},
	}
	r.run()
	var err error
	if r.f, err = fetch.New(r.Opts, 1<<20, func(_ *fetch.Feed, err error) { r.t.Error(err) }); err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.f.Run(ctx) }()
	r.stopFetching = func() { cancel(); <-done }
	time.Sleep(time.Second)
}

// run starts a worker.
func (r *rig) run() {
	r.w = New(r.cfg)
	go func() { r.ended <- r.w.Run(r.t.Context()) }()
}

// rerun starts another worker, whose producers wrap makes something of: the nth that
// there is.
func (r *rig) rerun(wrap func(n int, cl *kgo.Client) Client) {
	r.t.Helper()
	if err := r.end(); err != nil {
		r.t.Fatal(err)
	}
	<-r.ended
	r.cfg.Kafka = &wrapping{Brokers: r.cfg.Kafka.(Brokers), wrap: wrap, inner: map[Client]*kgo.Client{}}
	r.run()
}

type wrapping struct {
	Brokers
	wrap  func(n int, cl *kgo.Client) Client
	inner map[Client]*kgo.Client // of those that were made
}

func (w *wrapping) Producer(opts ...kgo.Opt) (Client, error) {
	cl, err := w.Brokers.Producer(opts...)
	if err != nil {
		return nil, err
	}
	c := w.wrap(len(w.inner)+1, cl.(*kgo.Client))
	w.inner[c] = cl.(*kgo.Client)
	return c, nil
}

func (w *wrapping) CommitTxn(ctx context.Context, producer Client, who kafka.Identity, offsets map[kafka.TopicPartition]kafka.Committed) error {
	return w.Brokers.CommitTxn(ctx, w.inner[producer], who, offsets)
}

// end stops the worker, if it still runs, and returns its error.
func (r *rig) end() error {
	_ = r.w.Stop(r.t.Context()) // it comes back from Run
	err := <-r.ended
	r.ended <- err
	return err
}

// add gives the worker a task, which reads a partition from an offset on.
func (r *rig) add(partition int32, from int64, sub *task.Sub) *Run {
	r.t.Helper()
	run := r.hold(partition, from, sub)
	if err := r.f.Add(r.t.Context(), run.Feeds); err != nil {
		r.t.Fatal(err)
	}
	return run
}

// hold gives the worker a task that reads nothing yet.
func (r *rig) hold(partition int32, from int64, sub *task.Sub) *Run {
	r.t.Helper()
	tsk, err := task.New(sub, partition, task.Env{App: "app", WallClock: time.Now().UnixMilli()}, func(s task.Store) (*state.Store, error) {
		return state.Open(r.eng, engine.Namespace{Store: s.Name, Partition: partition}, s.Layout)
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := tsk.Resume(in, from, offsetmeta.Metadata{PartitionTime: offsetmeta.Unknown}); err != nil {
		r.t.Fatal(err)
	}
	run := &Run{
		Task: tsk, Claim: member.Claim{Task: assign.Task{Partition: partition}, Incarnation: 1},
		Feeds: []*fetch.Feed{{Topic: in, Partition: partition, From: from, To: r.w.Inbox, End: -1}},
	}
	if err := r.w.Add(r.t.Context(), run); err != nil {
		r.t.Fatal(err)
	}
	return run
}

// put writes records with the given keys to a partition of the input.
func (r *rig) put(partition int32, keys ...string) {
	var records []*kgo.Record
	for _, k := range keys {
		records = append(records, &kgo.Record{Topic: in, Partition: partition, Key: []byte(k)})
	}
	r.Produce(r.cl, records...)
}

// feed puts records, and waits until everything has happened that can.
func (r *rig) feed(partition int32, keys ...string) {
	r.put(partition, keys...)
	time.Sleep(patience)
}

func (r *rig) reopened() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.mu.reopened)
}

func (r *rig) requests(key kmsg.Key) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.seen[key]
}

// expect checks what has been committed: the records of a topic, by partition, and
// the offsets of the input, as "partition:offset".
func (r *rig) expect(topic, records, offsets string) {
	r.t.Helper()
	var held []*kgo.Record
	cl := r.Client(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second) // the client may look for the topic again after some
	defer cancel()
	for ctx.Err() == nil {
		held = append(held, cl.PollFetches(ctx).Records()...)
	}
	slices.SortStableFunc(held, func(a, b *kgo.Record) int { return cmp.Compare(a.Partition, b.Partition) })
	var got []string
	for _, rec := range held {
		got = append(got, fmt.Sprintf("%s=%s", rec.Key, rec.Value))
	}
	if s := strings.Join(got, " "); s != records {
		r.t.Errorf("%s holds %q, not %q", topic, s, records)
	}
	ctx, cancel = context.WithTimeout(r.t.Context(), 5*time.Second)
	defer cancel()
	committed, err := r.group.FetchStable(ctx, r.cl, []kafka.TopicPartition{{Topic: in, Partition: 0}, {Topic: in, Partition: 1}})
	if err != nil {
		r.t.Error(err)
	}
	got = nil
	for p := range int32(2) {
		if c, ok := committed[kafka.TopicPartition{Topic: in, Partition: p}]; ok {
			got = append(got, fmt.Sprintf("%d:%d", p, c.Offset))
		}
	}
	if s := strings.Join(got, " "); s != offsets {
		r.t.Errorf("the offsets are %q, not %q", s, offsets)
	}
}

// count is what a store holds of a key, 0 for nothing. The worker must not have it
// any more.
func (r *rig) count(run *Run, key string) int {
	r.t.Helper()
	v, _, ok, err := run.Task.Stores()[0].State.Get([]byte(key))
	if err != nil {
		r.t.Error(err)
	}
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(string(v))
	if err != nil {
		r.t.Error(err)
	}
	return n
}

// counter counts records per key, and writes each count to out.
func counter() *task.Sub {
	return &task.Sub{
		Sources: []task.Source{{Topic: task.Topic{Name: in}}},
		Stores:  []task.Store{{Name: "counts", Logged: true}},
		Nodes: []task.Node{{Name: "count", Open: func(t *task.Task) error {
			t.Feed(0, func(m *task.Message) error {
				time.Sleep(map[string]time.Duration{brief: 10 * time.Millisecond, slow: time.Second, endless: 15 * time.Second}[string(m.Key)])
				s, n := t.Store("counts"), 0
				v, _, ok, err := s.Get(m.Key)
				if err != nil {
					return err
				}
				if ok {
					n, _ = strconv.Atoi(string(v))
				}
				count := strconv.AppendInt(nil, int64(n+1), 10)
				s.Put(m.Key, count, m.Time)
				return t.Send(task.Output{Topic: out, Partition: t.Partition(), Key: m.Key, Value: count, Time: m.Time})
			})
			return nil
		}}},
	}
}

// swallower reads and writes nothing.
func swallower() *task.Sub {
	return &task.Sub{
		Sources: []task.Source{{Topic: task.Topic{Name: in}}},
		Nodes: []task.Node{{Name: "swallow", Open: func(t *task.Task) error {
			t.Feed(0, func(*task.Message) error { return nil })
			return nil
		}}},
	}
}

// ticker writes a record to out once, after two minutes, whatever it reads.
func ticker() *task.Sub {
	return &task.Sub{
		Sources: []task.Source{{Topic: task.Topic{Name: in}}},
		Nodes: []task.Node{{Name: "tick", Open: func(t *task.Task) error {
			t.Feed(0, func(*task.Message) error { return nil })
			var tm *task.Timer
			tm = t.Schedule("tick", task.WallClock, (2 * time.Minute).Milliseconds(), func(now int64) error {
				tm.Cancel()
				return t.Send(task.Output{Topic: out, Partition: t.Partition(), Key: []byte("tick"), Value: []byte("1"), Time: now})
			})
			return nil
		}}},
	}
}

// An owner is what the test says of the group.
type owner struct {
	mu      sync.Mutex
	id      member.Identity
	next    *member.Identity // that Await gives; nil: the tasks are lost by then
	lost    map[assign.Task]bool
	claimed map[assign.Task]bool // that were asked about
}

var errLost = errors.New("lost")

func (o *owner) Identity(claims ...member.Claim) (member.Identity, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.claimed = map[assign.Task]bool{}
	for _, c := range claims {
		o.claimed[c.Task] = true
		if o.lost[c.Task] || c.Incarnation != 1 {
			return member.Identity{}, errLost
		}
	}
	return o.id, nil
}

func (o *owner) Await(_ context.Context, _ member.Identity, claims ...member.Claim) (member.Identity, error) {
	o.mu.Lock()
	next := o.next
	o.mu.Unlock()
	if next == nil {
		return member.Identity{}, errLost
	}
	id, err := o.Identity(claims...)
	if err != nil {
		return id, err
	}
	return *next, nil
}
