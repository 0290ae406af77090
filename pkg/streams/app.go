// Package streams runs a topology on Kafka.
//
// An App is one process of an application. It joins the application's group, is
// assigned tasks, restores their state, and processes their records in
// transactions, so that each record takes effect exactly once. More processes of
// the same application share the work.
package streams

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/failpoint"
	"github.com/leatstream/leat/internal/instance"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/layout"
	"github.com/leatstream/leat/internal/member"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/topology"
)

// An App is one running process of an application.
type App struct {
	cfg   instance.Config
	in    atomic.Pointer[instance.Instance]
	pause sync.Mutex // while what is paused changes, or goes from one instance to the next
	ran   atomic.Bool
}

// New checks the configuration. It does not connect.
func New(t *topology.Topology, cfg Config) (*App, error) {
	plan, err := t.Plan().DeadLetters(cfg.Application, cfg.Failures.DeadLetterTopic)
	if err != nil {
		err = fmt.Errorf("streams: Failures.DeadLetterTopic: %w", err)
	}
	if err := errors.Join(cfg.Validate(), err); err != nil {
		return nil, err
	}
	a := &App{cfg: cfg.withDefaults().instance(plan)}
	a.in.Store(instance.New(a.cfg))
	return a, nil
}

// ErrStuck is wrapped by the error of Run if code of the topology, or whatever else, did
// not return when the process was to stop. Its goroutine is left behind, with the stores open: nothing
// is left to do but to end the process.
var ErrStuck = instance.ErrStuck

// ErrTooManyFailures is wrapped by the error of Run if more records failed than
// Config.Failures.Limit lets pass.
var ErrTooManyFailures = instance.ErrTooManyFailures

// ErrTopologyChanged is wrapped by the error of Run if a store of the topology keeps
// something else than in the last run with the same State.Dir.
var ErrTopologyChanged = instance.ErrTopologyChanged

// A ProduceError is in the error of Run if brokers refused a record: errors.As finds it,
// and errors.Is the broker's reason, one of kerr's.
type ProduceError = task.ProduceError

// Run processes until ctx is cancelled, which stops the process cleanly, or until
// it fails. When it returns, every goroutine has ended, the last transaction is
// settled and the stores are closed, unless the error is ErrStuck. It may be called
// once.
func (a *App) Run(ctx context.Context) error {
	if a.ran.Swap(true) {
		return errors.New("streams: an App runs once: make a new one")
	}
	for rebuilt := 0; ; {
		err := a.in.Load().Run(ctx)
		switch {
		case errors.Is(err, instance.ErrTopics):
			a.cfg.Rejoin = true
		case errors.Is(err, engine.ErrCorrupt) && ctx.Err() == nil && rebuilt < maxRebuilds:
			rebuilt++ // local state has been removed, and will be restored
		default:
			return err
		}
		a.startOver()
	}
}

// startOver puts an instance in the place of one that has ended.
func (a *App) startOver() {
	a.pause.Lock()
	defer a.pause.Unlock()
	next := instance.New(a.cfg)
	next.PauseLike(a.in.Load())
	a.in.Store(next)
}

// maxRebuilds is how often an App starts over because local state was corrupt: a disk
// that goes on losing data is not to be trusted.
const maxRebuilds = 3

// A Partition is one of a topic's.
type Partition = kafka.TopicPartition

// Pause stops the processing of tasks that read the given partitions, or of all tasks if
// none is given: those of this process, and those that come to it later. What is done is
// committed; timers do not fire; the process stays in its group and keeps its tasks. It
// returns at once. It fails if the topology reads none of the partitions, or if a
// partition is given before Run has found out what there is.
func (a *App) Pause(partitions ...Partition) error { return a.setPause(true, partitions) }

// Resume ends what Pause began: for the given partitions, or for the whole process. A
// partition that was paused by itself stays paused when the process is resumed.
func (a *App) Resume(partitions ...Partition) error { return a.setPause(false, partitions) }

func (a *App) setPause(on bool, partitions []Partition) error {
	a.pause.Lock()
	defer a.pause.Unlock()
	return a.in.Load().Pause(on, partitions...)
}

// Status is what a running App has to say of itself.
type Status struct {
	Ready   bool // it has been told its tasks, and none is restoring
	Tasks   []TaskStatus
	Records int64 // processed since the start
	Commits int64
	Dropped map[string]int64 // records without effect, by reason
	Stalled []Stall          // code that does not return
	Paused  bool             // as a whole: see Pause
}

// A Stall is code of the topology that has not returned for longer than
// Config.StallTimeout. Topic is empty where a timer or a commit called it, or the opening
// of the task; Task is "global" where it fills the table Node, and empty where it is none
// of the topology's.
type Stall struct {
	Task, Node string
	Topic      string
	Partition  int32
	Offset     int64
	Since      time.Time
}

func (s Stall) String() string {
	e := task.Error{Task: s.Task, Node: s.Node, Topic: s.Topic, Partition: s.Partition, Offset: s.Offset}
	return fmt.Sprintf("%s: has not returned since %s", e.Place(), s.Since.Format(time.RFC3339))
}

// RestoreProgress is how far the restore of one store partition is.
type RestoreProgress = instance.Progress

// TaskStatus is one task of this process.
type TaskStatus struct {
	ID    string // sub-topology, underscore, partition
	State string // restoring or running
}

// Status may be called at any time, from any goroutine.
func (a *App) Status() Status {
	in := a.in.Load().Status()
	st := Status{Ready: in.Ready(), Records: in.Records, Commits: in.Commits, Dropped: in.Dropped, Paused: in.Paused}
	for _, t := range in.Restoring {
		st.Tasks = append(st.Tasks, TaskStatus{t.String(), "restoring"})
	}
	for _, t := range in.Running {
		st.Tasks = append(st.Tasks, TaskStatus{t.String(), "running"})
	}
	for _, s := range in.Stalled {
		st.Stalled = append(st.Stalled, Stall{s.Where.Task, s.Where.Node, s.Where.Topic, s.Where.Partition, s.Where.Offset, s.Since})
	}
	return st
}

// instance is the configuration as the runtime wants it. Every default has been
// filled in.
func (c Config) instance(plan *task.Plan) instance.Config {
	ic := instance.Config{
		App: c.Application, Plan: plan, Brokers: c.Brokers, ClientOptions: c.ClientOptions,
		StateDir: c.State.Dir, FlushInterval: c.State.FlushInterval, FlushBytes: c.State.FlushBytes,
		InstanceID: c.Membership.InstanceID, Rack: c.Membership.Rack, StayOnStop: c.Membership.StayOnStop, Tags: c.Membership.Tags,
		Replicas:       member.Replicas{Standbys: c.Standby.Replicas, AcceptableLag: c.Standby.AcceptableLag, Warmups: c.Standby.MaxWarmups, SpreadBy: c.Standby.SpreadBy},
		SessionTimeout: c.Membership.SessionTimeout, Heartbeat: c.Membership.HeartbeatInterval, RebalanceTimeout: c.Membership.RebalanceTimeout,
		ReplicationFactor: c.InternalTopics.ReplicationFactor, CreateTopics: !c.InternalTopics.NoCreate, TopicConfigs: c.InternalTopics.Configs,
		Policies:    c.Failures.policies(),
		Tolerance:   instance.Tolerance{Records: c.Failures.Limit, Per: c.Failures.LimitPer},
		ExactlyOnce: c.Guarantee == ExactlyOnce, CommitInterval: c.CommitInterval, MaxTaskIdle: c.MaxTaskIdle, Workers: c.Workers,
		MemoryBudget: c.MemoryBudget, MaxRecord: c.MaxRecordBytes, TransactionTimeout: c.TransactionTimeout, ShutdownTimeout: c.ShutdownTimeout,
		StallTimeout: c.StallTimeout, Meter: c.MeterProvider, OnRestore: c.OnRestore,
		Log: c.Logger.With("application", c.Application), Failpoint: failpoint.FromEnv(),
	}
	if open := c.State.Engine; open != nil {
		ic.OpenEngine = func(dir string) (engine.Engine, error) { return open(dir) }
	}
	return ic
}

// maxBackoff bounds the wait between two tries of a record.
const maxBackoff = time.Minute

func (f Failures) policies() task.Policies {
	return task.Policies{
		Decode: f.Decode, Process: f.Process, Produce: f.Produce, DeadLetterTopic: f.DeadLetterTopic,
		Retry: task.Retry{Times: f.Retries, Backoff: f.RetryBackoff.Milliseconds(), Max: maxBackoff.Milliseconds()},
	}
}

// A TopicNeed is a topic that an application needs.
type TopicNeed struct {
	Name       string
	Kind       string            // source, sink, repartition, changelog
	Partitions int32             // of an internal topic
	Configs    map[string]string // of an internal topic
}

// Topics lists the topics that a topology needs as an application, given the
// partition counts of its source topics.
func Topics(t *topology.Topology, application string, partitions map[string]int32) ([]TopicNeed, error) {
	plan, _ := t.Plan().Expand(application, slices.Collect(maps.Keys(partitions)))
	l, err := layout.Resolve(plan, application, partitions)
	if err != nil {
		return nil, err
	}
	var needs []TopicNeed
	seen := map[string]bool{}
	add := func(n TopicNeed) {
		if !seen[n.Name] {
			seen[n.Name] = true
			needs = append(needs, n)
		}
	}
	for _, sub := range plan.Subs {
		for _, s := range sub.Sources {
			if !s.Topic.Internal {
				add(TopicNeed{Name: s.Topic.Name, Kind: "source", Partitions: partitions[s.Topic.Name]})
			}
		}
	}
	for _, g := range plan.Globals {
		add(TopicNeed{Name: g.Topic, Kind: "source", Partitions: partitions[g.Topic]})
	}
	for _, sub := range plan.Subs {
		for _, s := range sub.Sinks {
			if !s.Topic.Internal && !s.Dynamic {
				add(TopicNeed{Name: s.Topic.Name, Kind: "sink"})
			}
		}
	}
	for _, it := range l.Internal {
		configs := kafka.RepartitionConfig()
		if it.Kind == layout.Changelog {
			configs = kafka.ChangelogConfig()
		}
		for k, v := range it.Configs {
			configs[k] = v
		}
		add(TopicNeed{it.Name, it.Kind.String(), it.Partitions, configs})
	}
	return needs, nil
}
