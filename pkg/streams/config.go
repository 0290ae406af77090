package streams

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

// Config configures an App. Application and Brokers are required; the zero value
// of every other field means its default.
type Config struct {
	// Application is the name that everything durable derives from: the consumer
	// group, the transactional ids and the internal topics.
	Application string
	// Brokers are seed addresses, host:port.
	Brokers []string
	// ClientOptions are given to every Kafka client: TLS, SASL, hooks.
	ClientOptions []kgo.Opt

	State          State
	Membership     Membership
	Standby        Standby
	InternalTopics InternalTopics
	Failures       Failures

	// Guarantee is ExactlyOnce by default.
	Guarantee Guarantee
	// CommitInterval is the longest time between commits, 100 ms by default. A
	// worker that has nothing left to do commits sooner, but not within 7 ms of the
	// commit before, nor sooner after it than half of what that took. While all that
	// a worker has in hand is far behind it commits every four intervals: no record's
	// result is waited for then but behind a backlog, which is done the sooner.
	CommitInterval time.Duration
	// MaxTaskIdle is how long a task with several inputs waits for one that has
	// been read to its end, before it goes on with the others: 0 by default.
	// An input whose end has not been reached is always waited for. A negative
	// value waits for nothing.
	MaxTaskIdle time.Duration
	// Workers is how many goroutines process, each with a producer of its own:
	// one per CPU by default.
	Workers int
	// MemoryBudget bounds, in bytes, what the process spends on caches of state
	// and on records that wait: 256 MiB by default.
	MemoryBudget int64
	// MaxRecordBytes is the largest record that is written, 1 000 000 by default:
	// no more than the topics' max.message.bytes. A larger result fails the record
	// that caused it.
	MaxRecordBytes int
	// TransactionTimeout is when the broker gives up a transaction whose producer
	// is silent: 10 s by default. It bounds how long a consumer downstream waits
	// behind a dead process that nobody has fenced.
	TransactionTimeout time.Duration
	// ShutdownTimeout bounds how long Run takes to stop, whether code of the topology
	// returns or not: 30 s by default.
	ShutdownTimeout time.Duration
	// StallTimeout is when code of the topology that does not return is taken for
	// stuck: 60 s by default. It is logged with its stack, and is in Status. A
	// negative one looks for none.
	StallTimeout time.Duration
	// OnRestore is told once a second how far the stores are that are being restored,
	// and of each store once more when it is done. It must return soon.
	OnRestore func([]RestoreProgress)
	// MeterProvider takes the metrics: otel.GetMeterProvider() by default. Those of
	// the Kafka clients come from hooks among ClientOptions, such as kotel's. A process
	// of 2000 partitions or more needs one without OpenTelemetry's limit of 2000 sets of
	// attributes: metric.WithCardinalityLimit(0).
	MeterProvider metric.MeterProvider
	// Logger is slog.Default() by default.
	Logger *slog.Logger
}

// State is where local state is kept.
type State struct {
	// Dir holds the process's identity and, in a sub-directory, the engine. One
	// process at a time may use it. Without one, the process has a new identity at
	// every start unless Membership.InstanceID is set, and Engine must be nil.
	Dir string
	// Engine opens the engine in a directory of its own: see pkg/store/pebble.
	// By default state is kept in memory and restored at every start.
	Engine func(dir string) (store.Engine, error)
	// FlushInterval and FlushBytes bound how far the engine may be behind the
	// changelog, and so what a restart replays: 10 s and 64 MiB by default.
	FlushInterval time.Duration
	FlushBytes    int64
}

// Membership is the process's place in the group.
type Membership struct {
	// InstanceID names this process among those of the application. By default
	// it is made at the first start and kept in State.Dir.
	InstanceID string
	// Rack is where the process runs, for consuming from the nearest replica.
	Rack string
	// Tags say where the process is, for Standby.SpreadBy: rack, zone.
	Tags map[string]string
	// SessionTimeout is when a silent process is taken for dead: 10 s by default.
	SessionTimeout time.Duration
	// HeartbeatInterval is how often the process asks its group whether something has
	// changed: 200 ms by default, and no more than a third of SessionTimeout. What
	// moves stands still for about as long when another process joins or stops.
	HeartbeatInterval time.Duration
	// RebalanceTimeout is how long a rebalance waits for a member that has to
	// commit first: 60 s by default.
	RebalanceTimeout time.Duration
	// StayOnStop keeps the process's tasks assigned to it over a stop, until the
	// session times out: for rolling restarts. By default a stop gives them up at
	// once.
	StayOnStop bool
}

// Standby says which copies of tasks' state are kept beside the one that is worked on,
// and when a task may move to a process that lacks some of its state. It should be
// equal in all processes; that of the group's leader counts.
type Standby struct {
	// Replicas is how many other processes follow the changelogs of each stateful
	// task, to take it over at once: none by default. A source topic that serves as a
	// changelog is followed to where the group has committed it, asked every 10 s.
	Replicas int
	// AcceptableLag is how many changelog records a process may lack to be given a
	// stateful task at once: 10 000 by default. If it lacks more, and another does
	// not, the other keeps the task until this one has caught up.
	AcceptableLag int64
	// MaxWarmups is how many tasks in the group may be on their way to a process that
	// has yet to catch up: 4 by default.
	MaxWarmups int
	// SpreadBy are keys of Membership.Tags. The copies of a task are put where they
	// differ, the first keys before the others.
	SpreadBy []string
}

// InternalTopics says how repartition and changelog topics are made.
type InternalTopics struct {
	// ReplicationFactor is the broker's default, if 0 or -1.
	ReplicationFactor int16
	// NoCreate refuses to start if an internal topic is missing.
	NoCreate bool
	// Configs are topic configurations besides the defaults, by topic name.
	Configs map[string]map[string]string
}

// Failures says what becomes of records that fail: topology.Fail, Skip or
// DeadLetter. A failure to read or write state, or to write to a changelog or a
// repartition topic, is never passed over, nor is one in code that runs at a commit.
type Failures struct {
	Decode topology.Policy // undecodable, or without a valid timestamp
	// Process is for code that returned an error or panicked. A timer that fails is
	// undone and skipped if this is not Fail.
	Process topology.Policy
	// Produce is for records whose results the brokers refuse: too large for the
	// topic, without a key for a compacted one, against a policy.
	Produce topology.Policy
	// DeadLetterTopic must not be one that the topology reads, and no pattern of its
	// matches it.
	DeadLetterTopic string

	// Retries is how many times a record is tried again, before Process answers, whose
	// code has returned an error: 0 by default. Its task waits meanwhile, from
	// RetryBackoff (1 s by default) to a minute, doubling; other tasks go on.
	Retries      int
	RetryBackoff time.Duration

	// Limit stops the process with ErrTooManyFailures if it would have passed over
	// more records than that within LimitPer, a minute by default. 0 is no limit.
	Limit    int64
	LimitPer time.Duration
}

// Guarantee is what a crash may do to results.
type Guarantee int8

const (
	// ExactlyOnce makes everything that a record causes take effect exactly once,
	// by transactions.
	ExactlyOnce Guarantee = iota
	// AtLeastOnce may repeat effects after a crash, and needs no transactions.
	AtLeastOnce
)

func (g Guarantee) String() string {
	if g == AtLeastOnce {
		return "at_least_once"
	}
	return "exactly_once"
}

var legalName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,100}$`)

// Validate reports every fault of c at once.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("streams: "+format, args...))
		}
	}
	check(legalName.MatchString(c.Application), "Application %q: give it a name of 1 to 100 of a-z, A-Z, 0-9, '.', '_' and '-'", c.Application)
	check(len(c.Brokers) > 0, "Brokers: name at least one, as host:port")
	check(c.Membership.InstanceID == "" || legalName.MatchString(c.Membership.InstanceID), "Membership.InstanceID %q: use 1 to 100 of a-z, A-Z, 0-9, '.', '_' and '-'", c.Membership.InstanceID)
	check(c.State.Engine == nil || c.State.Dir != "", "State.Dir: an engine needs a directory")
	check(c.CommitInterval >= 0, "CommitInterval %v: it cannot be negative", c.CommitInterval)
	check(c.Workers >= 0, "Workers %d: it cannot be negative; 0 means one per CPU", c.Workers)
	check(c.Standby.Replicas >= 0 && c.Standby.AcceptableLag >= 0 && c.Standby.MaxWarmups >= 0, "Standby %+v: its numbers cannot be negative", c.Standby)
	for _, tag := range c.Standby.SpreadBy {
		_, has := c.Membership.Tags[tag]
		check(has, "Membership.Tags: there is no %q, by which Standby.SpreadBy spreads", tag)
	}
	check(c.Guarantee == ExactlyOnce || c.Guarantee == AtLeastOnce, "Guarantee %d: it is neither ExactlyOnce nor AtLeastOnce", c.Guarantee)
	check(c.MemoryBudget >= 0, "MemoryBudget %d: it cannot be negative", c.MemoryBudget)
	check(c.MaxRecordBytes >= 0, "MaxRecordBytes %d: it cannot be negative", c.MaxRecordBytes)
	check(c.ShutdownTimeout >= 0, "ShutdownTimeout %v: it cannot be negative", c.ShutdownTimeout)
	check(c.State.FlushInterval >= 0, "State.FlushInterval %v: it cannot be negative", c.State.FlushInterval)
	check(c.State.FlushBytes >= 0, "State.FlushBytes %d: it cannot be negative", c.State.FlushBytes)
	check(c.Membership.SessionTimeout >= 0, "Membership.SessionTimeout %v: it cannot be negative", c.Membership.SessionTimeout)
	check(c.Membership.RebalanceTimeout >= 0, "Membership.RebalanceTimeout %v: it cannot be negative", c.Membership.RebalanceTimeout)
	f := c.Failures
	for _, p := range []struct {
		field string
		is    topology.Policy
	}{{"Decode", f.Decode}, {"Process", f.Process}, {"Produce", f.Produce}} {
		check(p.is >= topology.Fail && p.is <= topology.DeadLetter, "Failures.%s %d: it is neither Fail, Skip nor DeadLetter", p.field, p.is)
	}
	check(f.Retries >= 0, "Failures.Retries %d: it cannot be negative", f.Retries)
	check(f.RetryBackoff >= 0, "Failures.RetryBackoff %v: it cannot be negative", f.RetryBackoff)
	check(f.Limit >= 0 && f.LimitPer >= 0, "Failures.Limit %d per %v: neither can be negative", f.Limit, f.LimitPer)
	dead := f.Decode == topology.DeadLetter || f.Process == topology.DeadLetter || f.Produce == topology.DeadLetter
	check(!dead || c.Failures.DeadLetterTopic != "", "Failures.DeadLetterTopic: name the topic that dead letters go to")
	d := c.withDefaults()
	check(c.Membership.SessionTimeout < 0 || d.Membership.HeartbeatInterval > 0 && d.Membership.HeartbeatInterval <= d.Membership.SessionTimeout/3, "Membership.HeartbeatInterval %v: it must be more than 0, and no more than a third of the session timeout of %v", d.Membership.HeartbeatInterval, d.Membership.SessionTimeout)
	check(d.TransactionTimeout > d.CommitInterval, "TransactionTimeout %v: it must be longer than the commit interval of %v", d.TransactionTimeout, d.CommitInterval)
	return errors.Join(errs...)
}

// withDefaults returns c with every default filled in.
func (c Config) withDefaults() Config {
	orDefault(&c.CommitInterval, 100*time.Millisecond)
	orDefault(&c.Workers, runtime.GOMAXPROCS(0))
	orDefault(&c.MemoryBudget, 256<<20)
	orDefault(&c.MaxRecordBytes, 1_000_000)
	orDefault(&c.TransactionTimeout, 10*time.Second)
	orDefault(&c.ShutdownTimeout, 30*time.Second)
	orDefault(&c.State.FlushInterval, 10*time.Second)
	orDefault(&c.State.FlushBytes, 64<<20)
	orDefault(&c.Membership.SessionTimeout, 10*time.Second)
	orDefault(&c.Membership.HeartbeatInterval, min(200*time.Millisecond, c.Membership.SessionTimeout/3))
	orDefault(&c.Membership.RebalanceTimeout, 60*time.Second)
	orDefault(&c.Standby.AcceptableLag, 10_000)
	orDefault(&c.Standby.MaxWarmups, 4)
	orDefault(&c.InternalTopics.ReplicationFactor, -1)
	orDefault(&c.Failures.RetryBackoff, time.Second)
	orDefault(&c.Failures.LimitPer, time.Minute)
	orDefault(&c.StallTimeout, 60*time.Second)
	orDefault(&c.Logger, slog.Default())
	if c.MeterProvider == nil {
		c.MeterProvider = otel.GetMeterProvider()
	}
	return c
}

func orDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// String prints the effective configuration. It holds no secrets: client options
// are counted, not shown.
func (c Config) String() string {
	c = c.withDefaults()
	engine := "memory"
	if c.State.Engine != nil {
		engine = "durable"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "application=%s brokers=%s guarantee=%s workers=%d commit_interval=%v max_task_idle=%v", c.Application, strings.Join(c.Brokers, ","), c.Guarantee, c.Workers, c.CommitInterval, c.MaxTaskIdle)
	fmt.Fprintf(&b, " state.dir=%q state.engine=%s state.flush_interval=%v state.flush_bytes=%d memory_budget=%d", c.State.Dir, engine, c.State.FlushInterval, c.State.FlushBytes, c.MemoryBudget)
	fmt.Fprintf(&b, " instance_id=%q session_timeout=%v heartbeat_interval=%v stay_on_stop=%t", c.Membership.InstanceID, c.Membership.SessionTimeout, c.Membership.HeartbeatInterval, c.Membership.StayOnStop)
	fmt.Fprintf(&b, " standby.replicas=%d standby.acceptable_lag=%d standby.max_warmups=%d standby.spread_by=%v tags=%v", c.Standby.Replicas, c.Standby.AcceptableLag, c.Standby.MaxWarmups, c.Standby.SpreadBy, c.Membership.Tags)
	fmt.Fprintf(&b, " replication_factor=%d create_topics=%t decode_failures=%s process_failures=%s produce_failures=%s retries=%d failure_limit=%d", c.InternalTopics.ReplicationFactor, !c.InternalTopics.NoCreate, c.Failures.Decode, c.Failures.Process, c.Failures.Produce, c.Failures.Retries, c.Failures.Limit)
	fmt.Fprintf(&b, " transaction_timeout=%v shutdown_timeout=%v stall_timeout=%v client_options=%d", c.TransactionTimeout, c.ShutdownTimeout, c.StallTimeout, len(c.ClientOptions))
	return b.String()
}
