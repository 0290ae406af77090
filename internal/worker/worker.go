// Package worker processes tasks, in transactions of its own producer. A worker is
// one goroutine; the tasks that it has been given belong to it alone.
package worker

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/failpoint"
	"github.com/leatstream/leat/internal/fetch"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/member"
	"github.com/leatstream/leat/internal/pulse"
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/telemetry"
)

// Config is what a worker needs.
type Config struct {
	TransactionalID    string // empty: at least once, without transactions
	TransactionTimeout time.Duration
	CommitInterval     time.Duration
	Linger             time.Duration
	FlushInterval      time.Duration // the engine is never longer behind its changelogs
	FlushBytes         int64         // nor further
	Engine             engine.Engine
	MaxRecord          int
	BufferBytes        int           // of records that the producer holds before sending waits; more than MaxRecord
	BufferRecords      int           // as many of them
	TransactionBytes   int64         // of records, with which a transaction is committed whatever the interval; 0: no limit
	CacheBytes         *atomic.Int64 // that a store may keep in memory, on average
	Kafka              Kafka
	Owner              Owner
	Lease              func() *kafka.Lease // of what is owned now, where there are no transactions; nil: nobody fences
	Dial               kafka.DialFunc      // to brokers, if there is a lease
	Log                *slog.Logger
	Produce            task.Policy                          // what becomes of records whose results the brokers refuse
	Tolerate           func(failed int64, last error) error // counts records that a policy passed over, or fewer if that came to nothing; nil: as many as come
	Recorder           *telemetry.Recorder                  // nil: nothing is recorded
	Failpoint          failpoint.Hook

	// Reopen is given the runs whose transaction came to nothing, rolled back: they
	// must be restored and given back, if they are still owned. It must not block.
	Reopen func(runs []*Run, cause error)
}

// An Owner knows which tasks this process owns, and as whom; see member.Member.
type Owner interface {
	Identity(claims ...member.Claim) (member.Identity, error)
	Await(ctx context.Context, refused member.Identity, claims ...member.Claim) (member.Identity, error)
}

// A Worker processes the runs that it has been given.
type Worker struct {
	cfg      Config
	Inbox    *fetch.Inbox // what the runs' feeds deliver
	commands chan command
	done     chan struct{}

	runs     map[*Run]struct{}
	feeds    map[*fetch.Feed]*Run
	active   []*Run // with records
	timed    []*Run // with wall-clock timers
	touched  []*Run
	p        *producer
	began    time.Time // of the open transaction
	before   int64     // records processed before it
	next     time.Time // when to commit, at the earliest, because there is nothing else to do
	flushed  time.Time // the engine, last
	renewed  time.Time // the positions' times, last
	held     int64     // by the stores, in memory
	stores   int
	sizes    []int64   // scratch of evict
	behind   int64     // changelog bytes that it does not have
	hurry    bool      // user code asked for a commit
	failed   int64     // records passed over that nobody was told of
	told     time.Time // when somebody was, last
	dry      bool      // the last round found nothing to process
	batch    engine.Batch
	written  []*state.Store // that have given it what they have
	messages []task.Message // scratch
	pool     task.Pool      // of memory for what the tasks write

	shares    shares
	pulse     pulse.Pulse
	drops     [task.DropReasons]atomic.Int64
	processed atomic.Int64
	commits   atomic.Int64
	unflushed atomic.Int64
}

type command struct {
	add     []*Run
	release []*Run
	stop    bool
	done    chan error
}

// New returns a worker. Run must be called.
func New(cfg Config) *Worker {
	w := &Worker{
		cfg: cfg, Inbox: fetch.NewInbox(), commands: make(chan command), done: make(chan struct{}),
		runs: map[*Run]struct{}{}, feeds: map[*fetch.Feed]*Run{},
	}
	w.pulse.Busy = w.shares.busy
	return w
}

// Processed is how many records the worker has processed, and how many times it
// has committed. It may be called from any goroutine.
func (w *Worker) Processed() (records, commits int64) {
	return w.processed.Load(), w.commits.Load()
}

// Dropped is how many records had no effect, by reason. It may be called from any
// goroutine.
func (w *Worker) Dropped() (d task.Drops) {
	for i := range w.drops {
		d[i] = w.drops[i].Load()
	}
	return d
}

// Pulse shows from outside whether the worker gets on.
func (w *Worker) Pulse() *pulse.Pulse { return &w.pulse }

// enter says that the code of a task runs until the returned function is called.
func (w *Worker) enter(r *Run) (leave func()) {
	w.pulse.Enter(&r.where)
	return w.pulse.Leave
}

// Unflushed is how many bytes of committed changes the engine did not have at the
// last commit or write. It may be called from any goroutine.
func (w *Worker) Unflushed() int64 { return w.unflushed.Load() }

// Add gives runs to the worker. It returns once the worker has them; it is an error if
// the worker has ended.
func (w *Worker) Add(ctx context.Context, runs ...*Run) error {
	return w.command(ctx, command{add: runs})
}

// Release commits, and takes runs away from the worker: when it has returned, all
// that they did is either committed or will never be. Runs that the worker does
// not have are passed over.
func (w *Worker) Release(ctx context.Context, runs ...*Run) error {
	return w.command(ctx, command{release: runs})
}

// Stop commits, takes all runs away and ends Run.
func (w *Worker) Stop(ctx context.Context) error { return w.command(ctx, command{stop: true}) }

// ErrEnded is the error of a run that comes too late. Why the worker has ended, Run says.
var ErrEnded = errors.New("the worker has ended")

func (w *Worker) command(ctx context.Context, c command) error {
	c.done = make(chan error, 1)
	select {
	case w.commands <- c:
	case <-w.done:
		if len(c.add) > 0 {
			return ErrEnded
		}
		return nil // it has nothing any more
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Run works until Stop, or until ctx ends, which leaves the open transaction to be
// fenced, or until something fails that only the whole process can answer.
func (w *Worker) Run(ctx context.Context) (err error) {
	defer close(w.done)
	w.pulse.Begin()
	if err := w.open(ctx); err != nil {
		return err
	}
	defer func() { w.p.close() }()
	for {
		stop, err := w.intake(ctx)
		if stop || err != nil {
			if ctx.Err() != nil && !errors.Is(context.Cause(ctx), failpoint.ErrCrash) {
				w.abandon() // another worker has failed
			}
			return err
		}
		if err := w.turn(ctx); err != nil {
			return err
		}
	}
}

// open makes the producer.
func (w *Worker) open(ctx context.Context) (err error) {
	w.shares.enter(Busy)
	if w.p, err = w.replaceProducer(ctx); err != nil {
		return err
	}
	w.flushed, w.renewed = time.Now(), time.Now()
	return nil
}

// turn processes what is there, and commits if it is time.
func (w *Worker) turn(ctx context.Context) error {
	if err := w.round(ctx); err != nil {
		w.abandon()
		return err
	}
	if w.due() {
		return w.commit(ctx)
	}
	return nil
}

// maxTransaction is how many records a transaction holds before it is committed,
// whatever the interval.
const maxTransaction = 500_000

// due reports whether it is time to commit: the interval is over, or somebody
// asked, or there is nothing else to do.
func (w *Worker) due() bool {
	large := w.p.sent > maxTransaction || w.cfg.TransactionBytes > 0 && w.p.bytes > w.cfg.TransactionBytes
	return len(w.touched) > 0 && (w.hurry || large || w.untilCommit(time.Now()) <= 0)
}

// untilCommit is how long the open transaction will wait for more if nothing comes in.
func (w *Worker) untilCommit(now time.Time) time.Duration {
	wait := w.cfg.CommitInterval - now.Sub(w.began)
	switch {
	case w.dry && w.Inbox.Empty() && !slices.ContainsFunc(w.touched, func(r *Run) bool { return r.Task.Lags() }):
		wait = min(wait, w.next.Sub(now)) // else more is on its way
	case wait <= 0 && w.farBehind():
		wait += w.grace()
	}
	return wait
}

// rest is for how long at least a worker waits after a commit before it commits again
// because it has nothing else to do; half as long as the commit took if that is longer, so
// that brokers which are slow already get less to do. Until the brokers have written the
// end of a transaction to all its partitions they take nothing of the next one: who
// writes at once is sent away for 20 ms (add.partitions.to.txn.retry.backoff.ms).
const rest = 7 * time.Millisecond

// intake takes batches and commands in. It blocks only if there is nothing else
// to do.
func (w *Worker) intake(ctx context.Context) (stop bool, err error) {
	if w.dry && !w.due() {
		timer := time.NewTimer(w.idle())
		defer timer.Stop()
		w.shares.enter(Idle)
		select {
		case <-w.Inbox.Some():
			w.shares.enter(Busy)
		case c := <-w.commands:
			w.shares.enter(Busy)
			return w.obey(ctx, c)
		case <-timer.C:
			w.shares.enter(Busy)
		case <-ctx.Done():
			return true, context.Cause(ctx)
		}
	}
	if err := w.takeAll(ctx); err != nil {
		return false, err
	}
	select {
	case c := <-w.commands:
		return w.obey(ctx, c)
	case <-ctx.Done():
		return true, context.Cause(ctx)
	default:
		return false, w.maintain(ctx)
	}
}

// takeAll takes in the batches that wait.
func (w *Worker) takeAll(ctx context.Context) error {
	for _, b := range w.Inbox.Take() {
		if err := w.take(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// idle is how long there will be nothing to do, if nothing comes in.
func (w *Worker) idle() time.Duration {
	now := time.Now()
	wait := renewInterval - now.Sub(w.renewed)
	if w.behind > 0 {
		wait = min(wait, w.cfg.FlushInterval-now.Sub(w.flushed))
	}
	if len(w.touched) > 0 {
		wait = w.untilCommit(now) // the rest is done then
	}
	for _, r := range w.timed {
		if at, ok := r.Task.NextWallClock(); ok && !r.paused.Load() {
			wait = min(wait, stamp(at).Sub(now))
		}
	}
	for _, r := range w.active {
		if _, wake := r.Task.Ready(now.UnixMilli()); wake > 0 && !r.paused.Load() {
			wait = min(wait, stamp(wake).Sub(now))
		}
	}
	return max(wait, 0)
}

func (w *Worker) obey(ctx context.Context, c command) (stop bool, err error) {
	if len(c.add) > 0 && w.p.over() && len(w.touched) == 0 {
		if w.p, err = w.replaceProducer(ctx); err != nil {
			return false, err
		}
	}
	for _, r := range c.add {
		w.add(r)
		if err := w.drain(ctx, r); err != nil { // what it did while it was opened
			c.done <- err
			return false, err
		}
	}
	switch {
	case c.stop:
		if err = w.commit(ctx); err == nil {
			err = w.flushEngine()
		}
	case len(c.release) > 0:
		if err = w.commit(ctx); err == nil {
			err = w.release(c.release)
		}
	}
	c.done <- err
	return c.stop, err
}

func (w *Worker) add(r *Run) {
	r.Task.Share(&w.pool)
	r.where = r.Task.Peek
	r.last = make([]sent, len(r.Task.Stores()))
	r.waits = make([][]taken, len(r.Feeds))
	r.levels.init(len(r.Feeds), len(r.last))
	w.stores += len(r.last)
	w.weigh(r)
	w.runs[r] = struct{}{}
	for _, fd := range r.Feeds {
		if fd != nil {
			w.feeds[fd] = r
		}
	}
}

// take hands a batch to its task. One of a feed that has been taken away is
// dropped: it is of a position that is not the task's any more.
func (w *Worker) take(ctx context.Context, b fetch.Batch) error {
	r := w.feeds[b.Feed]
	if r == nil {
		b.Feed.Done(b.Bytes)
		return nil
	}
	if b.Yield {
		r.yields, r.until = b.Feed, time.Now().Add(fetch.Patience)
		if !r.queued {
			r.yield(r.until)
		}
		return nil
	}
	w.messages = w.messages[:0]
	for _, rec := range b.Records {
		if !rec.Attrs.IsControl() {
			w.messages = append(w.messages, message(rec))
		}
	}
	r.Task.Enqueue(b.Feed.Source, w.messages, b.After, b.End)
	r.await(b, len(w.messages))
	r.levels.Ends(b.Feed.Source, b.End)
	w.cfg.Recorder.Read(b.Feed.Topic, len(w.messages))
	if !r.queued && len(w.messages) > 0 {
		r.queued = true
		w.active = append(w.active, r)
	}
	return w.drain(ctx, r) // it may have moved without a record
}
