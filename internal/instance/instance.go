// Package instance runs one process of an application: it joins the group, opens
// the tasks it is assigned, gives them to its workers, and takes them away again.
package instance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/metric"

	"github.com/leatstream/leat/internal/assign"
	"github.com/leatstream/leat/internal/changelog"
	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/failpoint"
	"github.com/leatstream/leat/internal/fetch"
	"github.com/leatstream/leat/internal/identity"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/layout"
	"github.com/leatstream/leat/internal/member"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/telemetry"
	"github.com/leatstream/leat/internal/worker"
)

// Config is what an instance needs. Every field is set, but for those that say what
// nil means.
type Config struct {
	App           string
	Plan          *task.Plan
	Brokers       []string
	ClientOptions []kgo.Opt

	StateDir      string
	OpenEngine    func(dir string) (engine.Engine, error) // nil: in memory
	FlushInterval time.Duration
	FlushBytes    int64

	InstanceID       string // empty: as kept in StateDir
	Rack             string
	SessionTimeout   time.Duration
	RebalanceTimeout time.Duration
	Heartbeat        time.Duration // between two of them
	StayOnStop       bool
	Rejoin           bool // follows an instance that ended with ErrTopics
	Tags             map[string]string
	Replicas         member.Replicas

	ReplicationFactor int16
	CreateTopics      bool
	TopicConfigs      map[string]map[string]string

	Policies           task.Policies
	Tolerance          Tolerance
	ExactlyOnce        bool
	CommitInterval     time.Duration
	MaxTaskIdle        time.Duration
	Workers            int
	MemoryBudget       int64
	MaxRecord          int
	TransactionTimeout time.Duration
	ShutdownTimeout    time.Duration

	StallTimeout time.Duration        // of code that does not return; 0: nobody looks
	Meter        metric.MeterProvider // nil: nothing is measured
	OnRestore    func([]Progress)     // nil: nobody is told
	Log          *slog.Logger
	Failpoint    failpoint.Hook
}

// An Instance is one running process of an application.
type Instance struct {
	cfg Config
	log *slog.Logger

	identity     *identity.Identity
	engine       engine.Engine
	admin        *kgo.Client
	group        *kafka.Group
	logs         logs
	layout       *layout.Layout
	topics       map[string]kafka.Topic   // that exist, by name
	tombstones   map[string]time.Duration // how long changelogs keep deletions, at least
	fetcher      *fetch.Fetcher
	stopFetching context.CancelFunc
	globals      *globals // nil: the topology has none
	member       *member.Member
	follower     *follower
	workers      []*worker.Worker
	cache        atomic.Int64           // bytes that one store may keep
	readers      []*changelog.Reader    // one for each task that restores at a time
	idle         chan *changelog.Reader // those that nobody uses
	connecting   atomic.Bool            // what they, and the fetcher, may need
	clients      []*kgo.Client          // theirs
	restoring    progress
	metrics      *telemetry.Metrics
	tolerance    tolerance
	left         leftOut
	pulses       pulses
	loads        loads
	unobserve    func() error // ends the observation of metrics

	ctx    context.Context // of everything that runs; its cause is why it ended
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup

	end time.Time // until when all of it must be over; zero: it is not to end. Run's own

	patterns *task.Plan    // before its patterns were replaced; nil if it has none
	anew     chan struct{} // closed to end with ErrTopics
	anewOnce sync.Once

	mu struct {
		sync.Mutex
		slots    map[assign.Task]*slot
		joined   bool // member can be asked, and must leave
		stopping bool
		pauses   pauses
	}
}

// New returns an instance. It does nothing yet.
func New(cfg Config) *Instance {
	in := &Instance{cfg: cfg, log: cfg.Log, anew: make(chan struct{})}
	in.mu.slots = map[assign.Task]*slot{}
	in.tolerance.Tolerance = cfg.Tolerance
	in.ctx, in.cancel = context.WithCancelCause(context.Background())
	return in
}

// errStopped is the cause of a clean end.
var errStopped = errors.New("stopped")

// Run runs until ctx ends, which is a clean stop, or until something fails. When
// it returns everything is closed.
func (in *Instance) Run(ctx context.Context) (err error) {
	defer in.cancel(errStopped)
	defer func() { err = errors.Join(err, in.close()) }()
	start, stop := context.WithCancelCause(in.ctx)
	defer context.AfterFunc(ctx, func() { stop(errStopped) })()
	err = in.identify()
	if err == nil {
		err = in.started(start)
	}
	if err != nil {
		switch cause := context.Cause(start); {
		case errors.Is(cause, errStopped):
			return nil // asked to stop before it had begun
		case cause != nil:
			return cause // what was cut short is not why
		}
		return err
	}
	anew := false
	select {
	case <-ctx.Done():
	case <-in.ctx.Done():
	case <-in.anew:
		anew, in.cfg.StayOnStop = true, true
	}
	in.stop()
	if cause := context.Cause(in.ctx); cause != nil && !errors.Is(cause, errStopped) {
		return cause
	}
	if anew {
		return ErrTopics
	}
	return nil
}

// fail stops the instance because of err.
func (in *Instance) fail(err error) { in.cancel(err) }

// identify finds out who the process is, for the group and for who looks at it.
func (in *Instance) identify() (err error) {
	if in.identity, err = identity.Open(in.cfg.StateDir, in.cfg.InstanceID, in.cfg.Workers); err != nil {
		return err
	}
	in.log = in.log.With("instance", in.identity.InstanceID)
	return in.observe()
}

// started is start, which it waits for no longer than the process may take to stop once
// ctx has ended: code that is called before the group is joined may not return.
func (in *Instance) started(ctx context.Context) error {
	done := make(chan error, 1)
	in.wg.Go(func() { done <- in.start(ctx) })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	in.beginEnd()
	select {
	case err := <-done:
		return err
	case <-time.After(time.Until(in.end.Add(-in.settling()))):
		return context.Cause(ctx)
	}
}

// start brings everything up, in the order that fencing needs: nothing is read
// before no predecessor of this process can write any more.
func (in *Instance) start(ctx context.Context) (err error) {
	in.run("stall watch", in.watchStalls)
	if in.admin, err = kgo.NewClient(in.clientOptions("admin")...); err != nil {
		return fmt.Errorf("client: %w", err)
	}
	if err := in.reach(ctx); err != nil {
		return err
	}
	if err := in.prepareTopics(ctx); err != nil {
		return err
	}
	if err := in.cfg.Plan.Check(ctx, in.cfg.App); err != nil {
		return err
	}
	if err := in.checkShape(ctx); err != nil {
		return err
	}
	if err := in.fenceSelf(ctx); err != nil {
		return err
	}
	if err := in.openEngine(); err != nil {
		return err
	}
	if err := in.openReaders(); err != nil {
		return err
	}
	if err := in.openGlobals(ctx); err != nil {
		return err
	}
	return in.launch(ctx)
}

// reach makes sure that there is a broker, and one that can do what is needed.
func (in *Instance) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for failures := 1; ; failures++ {
		err := in.admin.Ping(ctx)
		if err == nil {
			break
		}
		if kafka.Sleep(ctx, kafka.Backoff(failures)) != nil {
			return fmt.Errorf("no broker answers at %v: %w: check the addresses, and TLS and SASL if the listener wants them", in.cfg.Brokers, err)
		}
	}
	if !in.cfg.ExactlyOnce {
		return nil
	}
	return kafka.CheckBroker(ctx, in.admin)
}

// fenceSelf ends what this process left open when it was last killed.
func (in *Instance) fenceSelf(ctx context.Context) error {
	return in.fence(ctx, []member.Fence{{Instance: in.identity.InstanceID, Workers: in.identity.Workers}})
}

// fence ends the open transactions of instances, so that none of them can commit
// any more.
func (in *Instance) fence(ctx context.Context, fences []member.Fence) error {
	if !in.cfg.ExactlyOnce {
		return nil
	}
	var ids []string
	for _, f := range fences {
		for w := range f.Workers {
			ids = append(ids, identity.TransactionalID(in.cfg.App, f.Instance, w))
		}
	}
	return kafka.Fence(ctx, in.admin, ids, in.cfg.TransactionTimeout)
}

func (in *Instance) openEngine() (err error) {
	if in.cfg.OpenEngine == nil {
		in.engine = memory.New()
		return nil
	}
	in.engine, err = in.cfg.OpenEngine(in.engineDir())
	if errors.Is(err, engine.ErrCorrupt) {
		if err := in.dropEngine(err); err != nil {
			return err
		}
		in.engine, err = in.cfg.OpenEngine(in.engineDir())
	}
	return err
}

func (in *Instance) engineDir() string { return filepath.Join(in.cfg.StateDir, "engine") }

// dropEngine removes local state that is damaged: it is a copy, and is restored from
// the changelogs.
func (in *Instance) dropEngine(why error) error {
	in.log.Error("local state is corrupt: it is removed, and restored from the changelogs; look at the disk", "dir", in.engineDir(), "err", why)
	if err := os.RemoveAll(in.engineDir()); err != nil {
		return fmt.Errorf("corrupt local state cannot be removed: %w", err)
	}
	return nil
}

// launch starts the workers and the fetcher, and joins the group.
func (in *Instance) launch(ctx context.Context) (err error) {
	if ctx.Err() != nil {
		return context.Cause(ctx) // nobody may wait any more
	}
	if in.fetcher, err = fetch.New(in.clientOptions("consumer"), in.cfg.readAhead(), in.broken); err != nil {
		return err
	}
	var fetching context.Context
	fetching, in.stopFetching = context.WithCancel(in.ctx)
	in.wg.Go(func() { in.fetcher.Run(fetching) })
	in.setCache(1)
	if err := in.newMember(); err != nil {
		return err
	}
	in.mu.Lock()
	for i := range in.cfg.Workers {
		w := worker.New(in.workerConfig(i))
		in.workers = append(in.workers, w)
		in.run(fmt.Sprint("worker ", i), in.beating(w))
	}
	in.mu.Unlock()
	in.run("purge", in.purge)
	if in.follower, err = in.newFollower(); err != nil {
		return err
	}
	in.run("standby", in.follower.run)
	if in.patterns != nil {
		in.run("patterns", in.watchPatterns)
	}
	if in.globals != nil {
		in.run("global tables", in.globals.follow)
	}
	in.run("lag", in.followEnds)
	in.run("growth", in.watchGrowth)
	in.run("restore progress", in.reportRestores)
	in.run("load", in.watchLoad)
	if !in.cfg.ExactlyOnce {
		in.run("lease", func(ctx context.Context) error { return in.member.Prove(ctx, in.heartbeat) })
	}
	in.tellBeginnings(ctx)
	in.connect()
	if err := in.member.Join(in); err != nil {
		return err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.mu.joined = true
	return nil
}

// newMember makes the member, which does not join yet.
func (in *Instance) newMember() (err error) {
	in.member, err = member.New(member.Config{
		Options:          in.clientOptions("member"),
		Group:            in.cfg.App,
		Instance:         in.identity.InstanceID,
		Static:           true,
		Workers:          in.identity.Workers,
		Fingerprint:      in.cfg.Plan.Fingerprint,
		Shape:            in.cfg.Plan.Shape,
		Subs:             in.memberSubs(),
		Replicas:         in.cfg.Replicas,
		Tags:             in.cfg.Tags,
		Held:             in.held,
		Weights:          in.loads.tell,
		Rejoin:           in.cfg.Rejoin,
		Rebalancing:      in.connect,
		SessionTimeout:   in.cfg.SessionTimeout,
		RebalanceTimeout: in.cfg.RebalanceTimeout, HeartbeatInterval: in.cfg.Heartbeat,
	})
	return err
}

// heartbeat asks the group whether it knows who as a member.
func (in *Instance) heartbeat(ctx context.Context, who member.Identity) error {
	return in.group.Heartbeat(ctx, in.admin, kafka.Identity(who))
}

func (in *Instance) memberSubs() (subs []member.Sub) {
	for _, s := range in.layout.Subs {
		subs = append(subs, member.Sub{ID: s.ID, Topics: s.Topics, Stateful: s.Stateful()})
	}
	return subs
}

// maxLinger is how long a record waits for others to be sent with. Nobody sees it before
// the commit, which waits for none: what is gained by sending at once is only that less
// is left for then. Where there are many partitions their batches need the time.
const maxLinger = 50 * time.Millisecond

func (in *Instance) workerConfig(i int) worker.Config {
	c := worker.Config{
		Kafka:              worker.Brokers{Options: in.clientOptions(fmt.Sprint("producer-", i)), Group: in.group, Admin: in.admin},
		Owner:              in,
		TransactionTimeout: in.cfg.TransactionTimeout,
		CommitInterval:     in.cfg.CommitInterval,
		Linger:             min(in.cfg.CommitInterval/2, maxLinger),
		FlushInterval:      in.cfg.FlushInterval,
		FlushBytes:         in.cfg.FlushBytes / int64(in.cfg.Workers),
		MaxRecord:          in.cfg.MaxRecord,
		BufferBytes:        in.cfg.unsent(),
		BufferRecords:      in.cfg.unsentRecords(),
		TransactionBytes:   in.cfg.written(),
		Engine:             in.engine,
		CacheBytes:         &in.cache,
		Log:                in.log,
		Produce:            in.cfg.Policies.Produce,
		Tolerate:           in.tolerance.take,
		Recorder:           in.metrics.Recorder(),
		Failpoint:          in.cfg.Failpoint,
		Reopen:             in.reopen,
	}
	if in.cfg.ExactlyOnce {
		c.TransactionalID = in.identity.TransactionalID(in.cfg.App, i)
	} else {
		c.Lease, c.Dial = in.member.Lease, in.admin.OptValue(kgo.Dialer).(kafka.DialFunc)
	}
	return c
}

// run starts one of the instance's goroutines. Its error ends the instance.
func (in *Instance) run(name string, fn func(context.Context) error) {
	in.wg.Go(func() {
		if err := fn(in.ctx); err != nil && in.ctx.Err() == nil {
			in.log.Error("stopped by an error", "in", name, "err", err)
			in.fail(err)
		}
	})
}

// setCache shares the memory for entries among the open stores.
func (in *Instance) setCache(stores int) { in.cache.Store(in.cfg.entries() / int64(max(stores, 1))) }
