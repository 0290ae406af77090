// Package fetch reads the input partitions of a process: one consumer, whose
// positions are the caller's, for all its tasks. It knows nothing of groups.
//
// A Feed is one partition from one position on. Its pointer is its identity: what
// was fetched for a feed that has been removed never reaches a later feed of the
// same partition.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/kafka"
)

// A Feed is one partition that is read from From on.
type Feed struct {
	Topic     string
	Partition int32
	From      int64
	End       int64  // of the partition, as far as is known; negative: it is not
	Source    int    // the task's input
	To        *Inbox // where batches go, in offset order

	f      *Fetcher
	queued atomic.Int64 // bytes handed over and not done
	tell   atomic.Int64 // the fetcher wants to know when fewer bytes are
	pieces pieces       // of answers that are in memory because of it

	group  *group
	handed int64     // bytes, ever; this and what follows are Run's own
	after  int64     // the offset behind what was handed over
	busy   bool      // it is in the fetcher's list
	paused bool      // until fewer bytes than tell wait
	since  time.Time // it was, last
	slow   bool      // to be paused rather than waited for
}

// A Batch is some records of a feed, transaction markers among them; or, with Yield,
// the request to give back what waits of all feeds that were added together with this one
// as soon as none of it can be processed, or after Patience: see Feed.Yield.
type Batch struct {
	Feed    *Feed
	Records []*kgo.Record
	After   int64 // the offset behind the last of them
	End     int64 // of the partition, as the fetch saw it: the last stable offset
	Bytes   int64
	Yield   bool
}

// A PositionError is a partition that cannot be read on from where it should be.
type PositionError struct {
	Topic     string
	Partition int32
	Err       error
}

func (e *PositionError) Error() string {
	return fmt.Sprintf("%s[%d]: %v", e.Topic, e.Partition, e.Err)
}

func (e *PositionError) Unwrap() error { return e.Err }

// A Fetcher owns the consumer. Add and Remove may be called from any goroutine
// while Run runs.
type Fetcher struct {
	cl     *kgo.Client
	broken func(*Feed, error)
	done   chan struct{}

	room  int64        // bytes that may be in memory, of all feeds
	gauge *gauge       // of what the client reads
	held  atomic.Int64 // bytes in memory that were handed over
	tell  atomic.Int64 // the fetcher wants to know when fewer bytes are

	feeds  map[string]map[int32]*Feed // this and what follows are Run's own
	busy   []*Feed                    // that hold something, or lag, or are not read
	levels levels                     // of each of them
	line   []*group                   // that are not read until it is their turn
	turns  bool                       // there was no room a short time ago
	lacked time.Time                  // when some last had to give back for want of room
	tight  time.Time                  // when much of the room was last taken
	lots   int64                      // so many there were
	cut    *lot                       // more of it may come with the next poll
	polled time.Time                  // the client, last
	total  int                        // feeds
	looks  int64                      // how often groups were looked for

	mu struct {
		sync.Mutex
		poked  bool
		cancel context.CancelFunc // of the poll in progress
		reqs   []request
		yields []yield
	}
}

type request struct {
	feeds []*Feed
	add   bool
	done  chan struct{}
}

// MaxWait is how long a broker holds a fetch that finds nothing, and so how long
// a new partition may wait behind an idle one.
const MaxWait = 250 * time.Millisecond

// New makes the consumer. room is how many bytes of memory what is fetched ahead of the
// tasks may take. broken is told of a feed that cannot be read on, with a *PositionError;
// it is removed then. It is called by Run, and must not wait for it.
func New(opts []kgo.Opt, room int64, broken func(*Feed, error)) (*Fetcher, error) {
	g := &gauge{began: time.Now()}
	l, _ := deal(room, g.read(), 1)
	cl, err := kgo.NewClient(append(opts,
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // a position must pass transaction markers
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(MaxWait),
		kgo.FetchMaxBytes(l.answer),
		kgo.FetchMaxPartitionBytes(l.part),
		kgo.WithHooks(g),
	)...)
	if err != nil {
		return nil, err
	}
	return &Fetcher{cl: cl, broken: broken, room: room, gauge: g, levels: l, feeds: map[string]map[int32]*Feed{}, done: make(chan struct{})}, nil
}

// Connect makes the connections that feeds of topics need, so that reading them need not
// wait for that.
func (f *Fetcher) Connect(ctx context.Context, topics []string) { kafka.Connect(ctx, f.cl, topics) }

// Add begins to read feeds, those of one task. It returns once that has begun, or ctx has
// ended.
func (f *Fetcher) Add(ctx context.Context, feeds []*Feed) error {
	g := &group{feeds: feeds}
	for _, fd := range feeds {
		fd.f, fd.after, fd.group = f, fd.From, g
	}
	return f.request(ctx, request{feeds: feeds, add: true, done: make(chan struct{})})
}

// Remove stops to read feeds. Once it has returned, no batch of theirs is handed
// over any more.
func (f *Fetcher) Remove(ctx context.Context, feeds []*Feed) error {
	if len(feeds) == 0 {
		return nil
	}
	return f.request(ctx, request{feeds: feeds, done: make(chan struct{})})
}

func (f *Fetcher) request(ctx context.Context, r request) error {
	f.mu.Lock()
	f.mu.reqs = append(f.mu.reqs, r)
	f.mu.Unlock()
	f.poke()
	select {
	case <-r.done:
		return nil
	case <-f.done:
		return context.Canceled
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// poke ends the poll in progress, or else the next one at once.
func (f *Fetcher) poke() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.poked = true
	if f.mu.cancel != nil {
		f.mu.cancel()
	}
}

// Run reads until ctx ends, and closes the consumer. Polling, adding and removing
// are all done here, one after the other: so a batch is never of an older
// position than its feed.
func (f *Fetcher) Run(ctx context.Context) {
	defer close(f.done)
	defer f.quit()
	for ctx.Err() == nil {
		switch {
		case f.crammed():
			f.relieve(ctx)
		case f.enough():
			f.rest(ctx)
		default:
			f.dispatch(f.poll(ctx))
		}
		reqs, yields := f.requests()
		for _, r := range reqs {
			f.change(r)
			close(r.done)
		}
		f.takeBack(yields)
		f.review()
	}
}

// quit closes the consumer when it has nothing to read any more. It would else begin to read
// what metadata tell of that come just then, and give up the session that it reads in, in two
// goroutines.
func (f *Fetcher) quit() {
	all := map[string][]int32{}
	for topic, feeds := range f.feeds {
		all[topic] = slices.Collect(maps.Keys(feeds))
	}
	f.cl.RemoveConsumePartitions(all)
	f.cl.CloseAllowingRebalance()
}

// maxPoll bounds a batch, so that partitions take turns.
const maxPoll = 10_000

func (f *Fetcher) poll(ctx context.Context) kgo.Fetches {
	if f.turns || len(f.line) > 0 {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, turn)
		defer done()
	}
	ctx, cancel := f.interruptible(ctx)
	defer cancel()
	if len(f.line) > 0 && f.idles() {
		return nil
	}
	f.pace(ctx)
	defer func() { f.polled = time.Now() }()
	return f.cl.PollRecords(ctx, maxPoll)
}

// interruptible returns a context that the next poke ends.
func (f *Fetcher) interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.cancel = cancel; f.mu.poked {
		cancel()
	}
	return ctx, cancel
}

func (f *Fetcher) requests() ([]request, []yield) {
	f.mu.Lock()
	defer f.mu.Unlock()
	reqs, yields := f.mu.reqs, f.mu.yields
	f.mu.poked, f.mu.cancel, f.mu.reqs, f.mu.yields = false, nil, nil, nil
	return reqs, yields
}

func (f *Fetcher) change(r request) {
	at := map[string]map[int32]kgo.Offset{}
	off := map[string][]int32{}
	for _, fd := range r.feeds {
		if f.feeds[fd.Topic] == nil {
			f.feeds[fd.Topic] = map[int32]*Feed{}
		}
		if at[fd.Topic] == nil {
			at[fd.Topic] = map[int32]kgo.Offset{}
		}
		at[fd.Topic][fd.Partition] = kgo.NewOffset().At(fd.From)
		if have := f.feeds[fd.Topic][fd.Partition]; have != nil && (r.add || have == fd) {
			off[fd.Topic] = append(off[fd.Topic], fd.Partition)
			delete(f.feeds[fd.Topic], fd.Partition)
			f.total--
			f.held.Add(-have.pieces.done(math.MaxInt64)) // who has them drops them
		}
		if r.add {
			f.feeds[fd.Topic][fd.Partition] = fd
			f.total++
			f.work(fd)
		}
	}
	f.drop()
	f.cl.ResumeFetchPartitions(off)
	f.cl.RemoveConsumePartitions(off)
	if r.add {
		f.cl.AddConsumePartitions(at)
	}
}

// dispatch hands records to their feeds.
func (f *Fetcher) dispatch(fetches kgo.Fetches) {
	records := fetches.NumRecords()
	for i, fetched := range fetches {
		l := f.cut
		if f.cut = nil; l == nil {
			l = f.begin()
		}
		kgo.Fetches{fetched}.EachPartition(func(p kgo.FetchTopicPartition) {
			fd := f.feeds[p.Topic][p.Partition]
			if fd == nil {
				return // of one that has been removed
			}
			if err := classify(p); err != nil {
				f.change(request{feeds: []*Feed{fd}})
				f.broken(fd, err)
			} else if len(p.Records) > 0 {
				f.hand(fd, p.FetchPartition, l)
			}
		})
		if i == len(fetches)-1 && records == maxPoll {
			f.cut = l
		} else {
			f.end(l)
		}
	}
}

func (f *Fetcher) hand(fd *Feed, p kgo.FetchPartition, l *lot) {
	b := Batch{Feed: fd, Records: p.Records, After: p.Records[len(p.Records)-1].Offset + 1, End: p.LastStableOffset}
	for _, r := range p.Records {
		b.Bytes += int64(len(r.Key)+len(r.Value)) + recordOverhead
		for _, h := range r.Headers {
			b.Bytes += int64(len(h.Key)+len(h.Value)) + headerOverhead
		}
	}
	l, own := f.lotOf(l, p.Records)
	l.bytes += b.Bytes
	f.held.Add(b.Bytes)
	fd.pieces.add(piece{b.Bytes, l})
	if own {
		f.end(l)
	}
	fd.handed += b.Bytes
	fd.after, fd.End = b.After, max(fd.End, b.End)
	f.work(fd)
	queued := fd.queued.Add(b.Bytes)
	if !fd.paused && (queued > f.levels.most || fd.slow && queued > f.levels.low || f.turns && fd.group.misses(fd)) {
		f.pause(fd)
	}
	fd.To.Put(b)
}

// recordOverhead and headerOverhead are about what a record and its header cost in memory
// besides their bytes.
const recordOverhead, headerOverhead = 300, 80

// classify returns the error that ends a feed, or nil for one that passes: the
// client goes on by itself after those.
func classify(p kgo.FetchTopicPartition) error {
	_, closed := errors.AsType[*kgo.ErrFirstReadEOF](p.Err)
	switch err := p.Err; {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, kgo.ErrClientClosed):
		return nil // a poke, or the end
	case closed: // the client suspects the configuration, but that was right when the process started
		return nil
	case errors.Is(err, kerr.OffsetOutOfRange):
		return &PositionError{p.Topic, p.Partition, fmt.Errorf("the position to go on from is not in the topic any more: records were deleted before they were processed. Reset the application's offsets, or set them to where it should go on: %w", err)}
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return &PositionError{p.Topic, p.Partition, fmt.Errorf("grant READ on the topic: %w", err)}
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID):
		return &PositionError{p.Topic, p.Partition, fmt.Errorf("the topic was deleted, and maybe created anew: what was committed is of the old one. Reset the application, and start it again: %w", err)}
	case kerr.IsRetriable(err):
		return nil
	default:
		return &PositionError{p.Topic, p.Partition, err}
	}
}
