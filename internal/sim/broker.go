package sim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/task"
)

// A Broker is what matters of Kafka 4 with transaction version 2: it makes the checks
// that Kafka makes, and no others. Its leaders and coordinators never fail; the
// network and the clients do.
type Broker struct {
	s       *Sim
	topics  map[string][]*Partition
	Group   *Group
	ids     map[string]*transactional
	markers []marker
	nextID  int64

	TransactionTimeout time.Duration
}

func newBroker(s *Sim) *Broker {
	b := &Broker{s: s, topics: map[string][]*Partition{}, ids: map[string]*transactional{}, TransactionTimeout: 10 * time.Second}
	b.Group = newGroup(s)
	return b
}

// Create makes a topic.
func (b *Broker) Create(topic string, partitions int32) {
	for i := range partitions {
		b.topics[topic] = append(b.topics[topic], newPartition(topic, i))
	}
}

// Topic is the partitions of a topic.
func (b *Broker) Topic(name string) []*Partition { return b.topics[name] }

// Partition finds one.
func (b *Broker) Partition(tp kafka.TopicPartition) *Partition {
	return b.topics[tp.Topic][tp.Partition]
}

// Append writes a record without a transaction.
func (b *Broker) Append(p *Partition, o task.Output) {
	p.Entries = append(p.Entries, Entry{Output: o, ended: true})
}

// An Outcome is what has become of a transaction.
type Outcome int8

const (
	Open Outcome = iota
	Committed
	Aborted
)

func (o Outcome) String() string { return [...]string{"open", "committed", "aborted"}[o] }

// A Txn is one transaction.
type Txn struct {
	ID       string // transactional
	producer int64
	epoch    int16
	bumped   int16 // the epoch of its markers
	Outcome  Outcome
	parts    []*Partition
	offsets  bool // it commits some of the group
	left     int  // markers to write
	began    time.Time
}

func (t *Txn) String() string { return fmt.Sprintf("%s/%d", t.ID, t.epoch) }

// A transactional id, as its coordinator knows it.
type transactional struct {
	producer int64
	epoch    int16
	ended    bool // the present epoch is that of a transaction which was ended by its own producer
	txn      *Txn // the last one; nil before the first
}

func (t *transactional) state() (open, ending bool) {
	return t.txn != nil && t.txn.Outcome == Open, t.txn != nil && t.txn.Outcome != Open && t.txn.left > 0
}

// A Producer is what InitProducerID gives.
type Producer struct {
	ID    int64
	Epoch int16
}

// initProducer makes a transactional id's next epoch. It ends an open transaction
// first, and says so.
func (b *Broker) initProducer(id string) (Producer, error) {
	t := b.ids[id]
	if t == nil {
		b.nextID++
		t = &transactional{producer: b.nextID, epoch: -1}
		b.ids[id] = t
	}
	switch open, ending := t.state(); {
	case open:
		b.finish(t, Aborted)
		t.ended = false
		return Producer{}, kerr.ConcurrentTransactions
	case ending:
		return Producer{}, kerr.ConcurrentTransactions
	}
	t.epoch++
	t.ended = false
	return Producer{t.producer, t.epoch}, nil
}

// join is what a leader asks the coordinator before the first write of a transaction
// to one of its partitions.
func (b *Broker) join(id string, p Producer) (*Txn, error) {
	t := b.ids[id]
	open, ending := t.state()
	switch {
	case t.producer != p.ID:
		return nil, kerr.InvalidProducerIDMapping
	case t.epoch != p.Epoch:
		return nil, kerr.InvalidProducerEpoch
	case ending:
		return nil, kerr.ConcurrentTransactions
	case !open:
		t.txn = &Txn{ID: id, producer: p.ID, epoch: p.Epoch, began: time.Now()}
	}
	return t.txn, nil
}

// A Batch is what a producer sends to one partition.
type Batch struct {
	Producer
	TransactionalID string
	Sequence        int
	Records         []task.Output
}

// Produce appends a batch, and returns the offset of its first record.
func (b *Broker) Produce(p *Partition, batch Batch) (base int64, err error) {
	known, err := p.check(batch.ID, batch.Epoch, batch.Sequence, len(batch.Records))
	if known || err != nil {
		return p.producers[batch.ID].base, err
	}
	base = p.End()
	if _, open := p.open[batch.ID]; open && p.producers[batch.ID].epoch == batch.Epoch {
		p.append(b.ids[batch.TransactionalID].txn, batch.Epoch, batch.Sequence, batch.Records)
		return base, nil
	}
	t, err := b.join(batch.TransactionalID, batch.Producer)
	if err != nil {
		return -1, err
	}
	t.parts = append(t.parts, p)
	p.append(t, batch.Epoch, batch.Sequence, batch.Records)
	return base, nil
}

// CommitOffsets adds offsets of the group to a transaction.
func (b *Broker) CommitOffsets(id string, p Producer, who kafka.Identity, offsets map[kafka.TopicPartition]kafka.Committed) error {
	t, err := b.join(id, p)
	if err != nil {
		return err
	}
	if err := b.Group.validate(who, true); err != nil {
		return err // the offsets' partition is part of the transaction all the same; its marker means nothing
	}
	t.offsets = true
	b.Group.add(t, offsets)
	return nil
}

// end is EndTxn. It is over once it is decided; the markers come later.
func (b *Broker) end(id string, p Producer, commit bool) (Producer, error) {
	t := b.ids[id]
	want := Aborted
	if commit {
		want = Committed
	}
	open, ending := t.state()
	switch {
	case t.producer != p.ID:
		return p, kerr.InvalidProducerIDMapping
	case p.Epoch == t.epoch-1 && t.ended && !open: // the repetition of a request that was successful
		switch {
		case t.txn.Outcome != want:
			return p, kerr.InvalidTxnState
		case ending:
			return p, kerr.ConcurrentTransactions
		}
		return Producer{t.producer, t.epoch}, nil
	case p.Epoch != t.epoch:
		return p, kerr.ProducerFenced
	case ending:
		return p, kerr.ConcurrentTransactions
	case !open && commit:
		return p, kerr.InvalidTxnState
	case open:
		b.finish(t, want)
	default:
		t.epoch++
	}
	t.ended = true
	return Producer{t.producer, t.epoch}, nil
}

// finish decides a transaction.
func (b *Broker) finish(t *transactional, o Outcome) {
	t.epoch++
	t.txn.Outcome, t.txn.bumped = o, t.epoch
	b.s.Log("        transaction %s is %s", t.txn, o)
	for _, p := range t.txn.parts {
		b.markers = append(b.markers, marker{t.txn, p})
	}
	if t.txn.offsets {
		b.markers = append(b.markers, marker{t.txn, nil})
	}
	t.txn.left = len(t.txn.parts) + bit(t.txn.offsets)
}

func bit(set bool) int {
	if set {
		return 1
	}
	return 0
}

// A marker is yet to be written: to a partition, or to that of the group's offsets.
type marker struct {
	txn *Txn
	at  *Partition
}

func (b *Broker) write(i int) {
	m := b.markers[i]
	b.markers = slices.Delete(b.markers, i, i+1)
	m.txn.left--
	if m.at == nil {
		b.s.Log("        marker of %s (%s) on the offsets", m.txn, m.txn.Outcome)
		b.Group.mark(m.txn)
		return
	}
	b.s.Log("        marker of %s (%s) on %s[%d]@%d", m.txn, m.txn.Outcome, m.at.Topic, m.at.Number, m.at.End())
	m.at.mark(m.txn)
}

// choices are what the broker may do now.
func (b *Broker) choices(add func(weight int, do func())) {
	for i := range b.markers {
		add(2, func() { b.write(i) })
	}
	now := time.Now()
	for _, id := range slices.Sorted(maps.Keys(b.ids)) {
		t := b.ids[id]
		if open, _ := t.state(); open && now.Sub(t.txn.began) >= b.TransactionTimeout {
			add(4, func() {
				b.s.Log("        transaction %s has timed out", t.txn)
				b.finish(t, Aborted)
				t.ended = false
			})
		}
	}
	b.Group.choices(add)
}

// moments are when the broker's clocks strike.
func (b *Broker) moments(sooner func(time.Time)) {
	for _, t := range b.ids {
		if open, _ := t.state(); open {
			sooner(t.txn.began.Add(b.TransactionTimeout))
		}
	}
	b.Group.moments(sooner)
}

// Busy reports whether a transaction of the id is open, or being ended.
func (b *Broker) Busy(id string) bool {
	t := b.ids[id]
	if t == nil {
		return false
	}
	open, ending := t.state()
	return open || ending
}

// Quiet reports whether no transaction is open or being ended.
func (b *Broker) Quiet() bool {
	for id := range b.ids {
		if b.Busy(id) {
			return false
		}
	}
	return true
}

// Partitions are all of them, in order.
func (b *Broker) Partitions() (out []*Partition) {
	for _, name := range slices.Sorted(maps.Keys(b.topics)) {
		out = append(out, b.topics[name]...)
	}
	slices.SortStableFunc(out, func(a, b *Partition) int { return cmp.Compare(a.Topic, b.Topic) })
	return out
}
