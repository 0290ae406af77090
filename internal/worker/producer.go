package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/failpoint"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/task"
)

func stamp(ms int64) time.Time { return time.UnixMilli(ms) }

// errOptions is the error of client options that no producer can be made with.
var errOptions = errors.New("client options")

// A producer writes the records of one transaction after the other. After any
// failure it is thrown away: what a new one with the same transactional id does
// first ends the transaction of the old one, whatever had become of it.
type producer struct {
	cl       Client
	slab     slab
	sent     int64
	bytes    int64 // of what was sent
	acked    atomic.Int64
	err      atomic.Pointer[error]
	crash    atomic.Pointer[error] // a failpoint's
	room     int64                 // bytes that it holds before sending waits
	most     int64                 // records
	refusals refusals
	written  tally
	lease    *kafka.Lease    // nil: there is none
	ctx      context.Context // of what is sent; it ends with the lease
	release  func()
}

// newProducer makes a producer and, if it is transactional, waits until the
// broker has given it an epoch: from then on no older producer of that id can do
// anything.
func newProducer(ctx context.Context, c *Config) (*producer, error) {
	p := &producer{room: int64(c.BufferBytes), most: int64(c.BufferRecords), ctx: ctx, release: func() {}}
	p.slab.whole, p.slab.ack = c.Produce != task.Fail, p.acknowledge
	opts := []kgo.Opt{
		kgo.RecordPartitioner(partitioner{}),
		kgo.ProducerLinger(c.Linger),
		kgo.MaxBufferedRecords(c.BufferRecords),
		kgo.MaxBufferedBytes(c.BufferBytes),
		kgo.ProducerBatchMaxBytes(int32(c.MaxRecord + 512)),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
	}
	if c.TransactionalID != "" {
		opts = append(opts, kgo.TransactionalID(c.TransactionalID), kgo.TransactionTimeout(c.TransactionTimeout))
	}
	if c.Failpoint != nil {
		opts = append(opts, kgo.WithHooks(endSent{p, c.Failpoint}))
	}
	if c.Lease != nil {
		p.under(ctx, c.Lease())
		opts = append(opts, kgo.Dialer(p.lease.Dialer(c.Dial)), kgo.DialTLSConfig(nil)) // Dial does that
	}
	var err error
	if p.cl, err = c.Kafka.Producer(opts...); err != nil {
		p.release()
		return nil, fmt.Errorf("producer: %w: %w", errOptions, err)
	}
	if c.TransactionalID == "" {
		return p, nil
	}
	if _, _, err := p.cl.ProducerID(ctx); err != nil {
		p.cl.Close()
		return nil, fmt.Errorf("transactional id %q: %w", c.TransactionalID, err)
	}
	return p, nil
}

// under makes the producer one that sends nothing once the lease has ended, and does not
// wait for it either.
func (p *producer) under(ctx context.Context, lease *kafka.Lease) {
	var cancel context.CancelCauseFunc
	p.lease = lease
	p.ctx, cancel = context.WithCancelCause(ctx)
	stop := context.AfterFunc(lease.Context(), func() { cancel(kafka.ErrLease) })
	p.release = func() { stop(); cancel(nil) }
}

// over reports whether what the producer has was of tasks that were lost.
func (p *producer) over() bool { return p != nil && p.lease != nil && p.lease.Context().Err() != nil }

// send writes o. It blocks while the client's buffer is full.
func (p *producer) send(o *task.Output) sent {
	r := p.slab.next()
	fill(r.Record, o)
	p.sent++
	p.bytes += int64(len(o.Key) + len(o.Value))
	p.cl.Produce(p.ctx, r.Record, r.in.promise)
	return r
}

// full reports whether sending out may have to wait for the brokers.
func (p *producer) full(out []task.Output) bool {
	b, ok := p.cl.(buffered)
	return ok && len(out) > 0 && (b.BufferedProduceRecords()+int64(len(out)) > p.most || b.BufferedProduceBytes() > p.room/4*3)
}

// A buffered client says what waits in it.
type buffered interface {
	BufferedProduceRecords() int64
	BufferedProduceBytes() int64
}

// fail makes the transaction one that cannot be committed.
func (p *producer) fail(err error) { p.err.CompareAndSwap(nil, &err) }

// acknowledge makes the promise of a chunk's records: one value for all, and not one for
// each.
func (p *producer) acknowledge(c *chunk) func(*kgo.Record, error) {
	return func(r *kgo.Record, err error) {
		p.promise(r, err)
		if err == nil {
			c.acked.Add(1) // the last that is done with r
		}
	}
}

func (p *producer) promise(r *kgo.Record, err error) {
	if err != nil {
		where := &task.ProduceError{Topic: r.Topic, Partition: r.Partition, Err: err}
		if kafka.Refused(err) {
			p.refusals.add(r, where)
		}
		first := error(where) // of its own: a pointer to err would move that to the heap for each record
		p.err.CompareAndSwap(nil, &first)
		return
	}
	p.acked.Add(1)
}

// flush waits until every record is acknowledged. Records are counted one by one:
// what a client says of the whole is not proof.
func (p *producer) flush() error {
	if err := p.cl.Flush(p.ctx); err != nil {
		return err
	}
	if err := p.err.Load(); err != nil {
		return *err
	}
	if acked := p.acked.Load(); acked != p.sent {
		return fmt.Errorf("%d records were sent and %d acknowledged", p.sent, acked)
	}
	return nil
}

// see waits until the client sees every topic that it has written to. A client sends
// what has waited for a topic's metadata before it lists the topic; in between, all may
// be acknowledged already. To end a transaction it looks through that list for what the
// transaction has written: if it finds nothing it aborts whatever it was asked for, or
// sends nothing at all, and returns nil. The records must have been flushed.
func (p *producer) see(ctx context.Context) error {
	for _, r := range p.written.fresh {
		for {
			leader, _, err := p.cl.PartitionLeader(r.Topic, r.Partition)
			if leader >= 0 {
				break
			}
			select {
			case <-time.After(time.Millisecond):
			case <-ctx.Done():
				return fmt.Errorf("the client has written to %s[%d] and does not know it: %w", r.Topic, r.Partition, cmp.Or(err, context.Cause(ctx)))
			}
		}
	}
	p.written.fresh = p.written.fresh[:0]
	return nil
}

// next forgets the transaction that has ended.
func (p *producer) next() {
	p.slab.reset()
	p.written.next()
	p.sent, p.bytes = 0, 0
	p.acked.Store(0)
	p.refusals.origins = p.refusals.origins[:0]
}

func (p *producer) close() {
	if p != nil {
		p.slab.drop()
		p.cl.Close()
		p.release()
	}
}

// endSent is a client hook that reaches the failpoint between a request to end a
// transaction and its answer.
type endSent struct {
	p    *producer
	hook failpoint.Hook
}

const endTxnKey = 26

func (h endSent) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if key != endTxnKey || err != nil {
		return
	}
	if err := h.hook.Hit(failpoint.EndSent); err != nil {
		h.p.crash.Store(&err)
	}
}

// partitioner sends a record where it says, else where its key hashes to in
// Kafka's way, else anywhere.
type partitioner struct{}

func (partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return &topicPartitioner{kgo.StickyKeyPartitioner(nil).ForTopic(topic)}
}

type topicPartitioner struct{ byKey kgo.TopicPartitioner }

func (p *topicPartitioner) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition >= 0 || r.Key != nil
}

func (p *topicPartitioner) Partition(r *kgo.Record, n int) int {
	if r.Partition >= 0 {
		return int(r.Partition)
	}
	return p.byKey.Partition(r, n)
}

func (p *topicPartitioner) OnNewBatch() {
	if b, ok := p.byKey.(kgo.TopicPartitionerOnNewBatch); ok {
		b.OnNewBatch()
	}
}
