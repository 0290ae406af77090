// Package changelog reads changelog partitions up to a position.
//
// A consumer hands out records; a restore needs positions. The end of a
// changelog may consist of nothing but aborted records and transaction markers,
// of which a consumer says nothing: it cannot be told from a slow broker. So
// the package fetches by itself and counts everything that it passes.
//
// To bring a store up to what is committed, in this order: fence the
// transactional ids that may have written last, fetch the group's stable
// offsets, ask End for the targets, Run up to them. The order matters, because
// the markers on a changelog may come later than those on the offsets topic.
//
// The package knows nothing of stores, of tasks or of what records mean.
package changelog

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/kafka"
)

// Forever is the Until of a target that is followed until ctx ends.
const Forever = math.MaxInt64

// A Target is a partition and what to read of it: the committed records from
// From, including, to Until, excluding.
type Target struct {
	kafka.TopicPartition
	TopicID [16]byte // a topic with another id is another topic
	From    int64
	Until   int64 // or Forever
}

// A Record is a committed record. A nil Value is a tombstone, an empty one is a
// value. Key and Value may be kept, but then they keep up to a whole answer of a
// broker in memory.
type Record struct {
	Key, Value []byte
	Headers    []kgo.RecordHeader
	Time       int64 // ms since 1970
	Offset     int64
}

// A Batch is what is new in a partition.
type Batch struct {
	kafka.TopicPartition
	// Records are in the order of their offsets. The slice is used again when
	// apply has returned.
	Records []Record
	// Next is the position behind Records and behind all that was aborted or
	// is a marker.
	Next int64
	// End is the partition's high watermark, as far as is known.
	End int64
}

// Config is how to read. Zero values are defaults.
type Config struct {
	// PartitionBytes is how much to ask for of a partition at once: 8 MiB. A
	// record that is larger is read all the same.
	PartitionBytes int32
	// RequestBytes is how much to ask for of all brokers at once: 64 MiB. Up to
	// twice as much is held: answers that are being applied and those that are
	// being fetched. They are decompressed bit by bit.
	RequestBytes int32
	// MaxWait is how long a broker waits for news before it answers that
	// there are none: 500 ms.
	MaxWait time.Duration
	// Stalled is told, every StallEvery (5 s), of each partition that has not
	// moved for that long although it is not where it should be. One that is
	// followed is where it should be at the end of its log. It is called by
	// the goroutine that called Run, and must not block.
	Stalled    func(Stall)
	StallEvery time.Duration
}

// A Reader reads partitions through a client, which needs no options but those
// to connect. Its methods may be called concurrently.
type Reader struct {
	cl     *kgo.Client
	cfg    Config
	decomp kgo.Decompressor
}

// NewReader returns a reader. The client stays the caller's.
func NewReader(cl *kgo.Client, cfg Config) *Reader {
	cfg.PartitionBytes = cmp.Or(cfg.PartitionBytes, 8<<20)
	cfg.RequestBytes = cmp.Or(cfg.RequestBytes, 64<<20)
	cfg.MaxWait = cmp.Or(cfg.MaxWait, 500*time.Millisecond)
	cfg.StallEvery = cmp.Or(cfg.StallEvery, 5*time.Second)
	if cfg.Stalled == nil {
		cfg.Stalled = func(Stall) {}
	}
	return &Reader{cl, cfg, kgo.DefaultDecompressor()}
}

// Connect makes the connections that Run needs for topics, so that it need not.
func (r *Reader) Connect(ctx context.Context, topics []string) { kafka.Connect(ctx, r.cl, topics) }

// Run reads targets until all of them are at their Until, one of them cannot be
// read on, apply returns an error, or ctx ends. It returns nil, a
// *[PartitionError], *[OutOfRangeError], *[TruncatedError] or
// *[RecreatedError], apply's error, or the cause of ctx. When it has returned
// nothing is going on any more. To change the targets, end it and run again
// from the positions that apply was told: nothing is lost but what was in
// flight.
//
// apply gets the batches of a partition one after the other, without gap; those
// of partitions with different leaders at the same time. Every target gets a
// batch whose Next is its Until, even if there is nothing to read. Batches
// without records say that the position has moved, or, of a target without
// end, that the position is still the end of the log.
//
// A broker handles the fetches of one client one after the other: two Runs at
// the same time need two clients, or they wait for each other's.
func (r *Reader) Run(ctx context.Context, targets []Target, apply func(Batch) error) error {
	ctx, fail := context.WithCancelCause(ctx)
	run, err := newRun(r, fail, targets, apply)
	if err != nil {
		fail(err)
		return err
	}
	defer run.leaders.Wait()
	defer fail(nil)
	return run.loop(ctx)
}

// End is up to where a changelog is restored, whether what is written there is committed
// or not: a reader that gets there has seen the outcome of every transaction that was open
// when the brokers were asked for it.
var End = kafka.Latest

// A Stall tells of a partition that does not get on.
type Stall struct {
	kafka.TopicPartition
	For      time.Duration
	Position int64
	Until    int64 // or Forever
	Stable   int64 // the last stable offset and the high watermark, -1 if not known
	End      int64
	Err      error // what is wrong, if something is
}

func (s Stall) String() string {
	why := "the brokers send nothing"
	switch {
	case s.Err != nil:
		why = s.Err.Error()
	case s.Position >= s.Stable && s.Stable < s.End:
		why = fmt.Sprintf("a transaction that is open since offset %d has not ended", s.Stable)
	case s.Position >= s.End:
		why = fmt.Sprintf("the log ends at %d", s.End)
	}
	until := "end"
	if s.Until != Forever {
		until = fmt.Sprint(s.Until)
	}
	return fmt.Sprintf("changelog %s is at %d of %s since %s: %s", s.TopicPartition, s.Position, until, s.For.Round(time.Second), why)
}
