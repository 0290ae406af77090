package sim

import (
	"bytes"
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/murmur"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/worker"
)

// Kafka is what a worker asks, of one transactional id.
type Kafka struct {
	Client
	Host *Host
	ID   string

	clients []*producer
}

var _ worker.Kafka = (*Kafka)(nil)

// Producer implements worker.Kafka.
func (k *Kafka) Producer(...kgo.Opt) (worker.Client, error) {
	p := &producer{k: k}
	k.clients = append(k.clients, p)
	return p, nil
}

// Settled reports whether there is a producer that can go on: one that has failed is
// about to be replaced, and with it the work of its last transaction.
func (k *Kafka) Settled() bool {
	n := len(k.clients)
	return n > 0 && k.clients[n-1].known && k.clients[n-1].dead == nil
}

// CommitTxn implements worker.Kafka.
func (k *Kafka) CommitTxn(ctx context.Context, cl worker.Client, who kafka.Identity, of map[kafka.TopicPartition]kafka.Committed) error {
	return k.Client.CommitTxn(ctx, k.ID, cl.(*producer).id, who, of)
}

// Choices are what the producers may do now: send what waits.
func (k *Kafka) Choices(add func(weight int, do func())) {
	if k.Host.Dead || k.Host.Paused {
		return
	}
	for _, p := range k.clients {
		for _, q := range p.queues {
			if len(q.waiting) > 0 && !q.flying {
				add(3, func() { p.send(q) })
			}
		}
		for _, t := range p.topics {
			if !t.listed {
				add(3, func() { t.listed = true })
			}
		}
	}
}

// A producer behaves as a kgo.Client does.
type producer struct {
	k      *Kafka
	id     Producer
	known  bool  // id is
	dead   error // it can do nothing any more
	added  bool  // something of the transaction was produced
	queues []*queue

	topics []*topic
}

// A topic is one that a producer was given records for.
type topic struct {
	name   string
	listed bool // the producer sees it; records that wait for its metadata go out before
	added  bool // something of the transaction was produced to it
}

// A queue is what is produced to one partition. One batch of it is under way at a time.
type queue struct {
	to       *Partition
	waiting  []produced
	batch    []produced // under way
	flying   bool
	sequence int
	tries    int
}

type produced struct {
	*kgo.Record
	promise func(*kgo.Record, error)
}

// ProducerID implements worker.Client.
func (p *producer) ProducerID(ctx context.Context) (id int64, epoch int16, err error) {
	if !p.known {
		if p.id, err = p.k.InitProducer(ctx, p.k.ID); err != nil {
			return 0, 0, err
		}
		p.known = true
	}
	return p.id.ID, p.id.Epoch, p.dead
}

// BeginTransaction implements worker.Client.
func (p *producer) BeginTransaction() error { return p.dead }

// Produce implements worker.Client.
func (p *producer) Produce(_ context.Context, r *kgo.Record, promise func(*kgo.Record, error)) {
	if p.dead != nil {
		promise(r, p.dead)
		return
	}
	parts := p.k.S.Broker.Topic(r.Topic)
	if r.Partition < 0 {
		if r.Partition = 0; r.Key != nil {
			r.Partition = murmur.Partition(r.Key, int32(len(parts)))
		}
	}
	p.add(r.Topic)
	to := parts[r.Partition]
	i := slices.IndexFunc(p.queues, func(q *queue) bool { return q.to == to })
	if i < 0 {
		i = len(p.queues)
		p.queues = append(p.queues, &queue{to: to})
	}
	p.queues[i].waiting = append(p.queues[i].waiting, produced{r, promise})
}

func (p *producer) add(name string) {
	p.added = true
	i := slices.IndexFunc(p.topics, func(t *topic) bool { return t.name == name })
	if i < 0 {
		i = len(p.topics)
		p.topics = append(p.topics, &topic{name: name})
	}
	p.topics[i].added = true
}

// PartitionLeader implements worker.Client.
func (p *producer) PartitionLeader(name string, _ int32) (leader, epoch int32, err error) {
	if slices.ContainsFunc(p.topics, func(t *topic) bool { return t.name == name && t.listed }) {
		return 0, 0, nil
	}
	p.k.S.Yield() // what is asked for again and again must be able to come about
	return -1, -1, nil
}

// send sends some of what waits, or again what was sent before.
func (p *producer) send(q *queue) {
	if len(q.batch) == 0 {
		n := 1 + p.k.S.Rand.IntN(len(q.waiting))
		q.batch = slices.Clone(q.waiting[:n])
	}
	q.flying = true
	b := Batch{Producer: p.id, TransactionalID: p.k.ID, Sequence: q.sequence}
	for _, r := range q.batch {
		b.Records = append(b.Records, output(r.Record))
	}
	p.k.Produce(p.k.Host, q.to, b, func(base int64, err error) { p.answered(q, base, err) })
}

func output(r *kgo.Record) task.Output {
	o := task.Output{Topic: r.Topic, Partition: r.Partition, Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value), Time: r.Timestamp.UnixMilli()}
	for _, h := range r.Headers {
		o.Headers = append(o.Headers, task.Header(h))
	}
	return o
}

const maxTries = 4

func (p *producer) answered(q *queue, base int64, err error) {
	q.flying = false
	switch {
	case p.dead != nil:
		return
	case err == kerr.ConcurrentTransactions:
		return // again
	case err != nil && passes(err) && q.tries < maxTries:
		q.tries++
		return
	case err != nil:
		p.fail(err)
		return
	}
	for i, r := range q.batch {
		r.Offset = base + int64(i)
		r.promise(r.Record, nil)
	}
	n := len(q.batch)
	q.waiting, q.batch, q.sequence, q.tries = q.waiting[n:], nil, q.sequence+n, 0
}

// fail ends the producer's life: nothing that it was given is sent any more.
func (p *producer) fail(err error) {
	p.dead = err
	for _, q := range p.queues {
		for _, r := range q.waiting {
			r.promise(r.Record, err)
		}
		q.waiting, q.batch = nil, nil
	}
}

func (p *producer) idle() bool {
	return !slices.ContainsFunc(p.queues, func(q *queue) bool { return len(q.waiting) > 0 || q.flying })
}

// Flush implements worker.Client.
func (p *producer) Flush(ctx context.Context) error { return p.k.S.Wait(ctx, p.idle) }

// EndTransaction implements worker.Client.
func (p *producer) EndTransaction(ctx context.Context, end kgo.TransactionEndTry) error {
	switch {
	case p.dead != nil:
		return kerr.OperationNotAttempted
	case !p.added:
		return nil
	}
	p.added = false
	found := slices.ContainsFunc(p.topics, func(t *topic) bool { return t.added && t.listed })
	for _, t := range p.topics {
		t.added = false
	}
	next, err := p.k.EndTxn(ctx, p.k.ID, p.id, bool(end) && found) // a kgo.Client that finds nothing to commit aborts, and returns nil
	if err != nil {
		p.fail(err)
		return err
	}
	p.id, p.queues = next, nil
	return nil
}

// AbortBufferedRecords implements worker.Client.
func (p *producer) AbortBufferedRecords(context.Context) error {
	for _, q := range p.queues {
		q.waiting, q.batch = nil, nil
	}
	return nil
}

// Close implements worker.Client.
func (p *producer) Close() {
	p.dead = kgo.ErrClientClosed
	for _, q := range p.queues {
		q.waiting, q.batch = nil, nil
	}
	p.k.clients = slices.DeleteFunc(p.k.clients, func(o *producer) bool { return o == p })
}
