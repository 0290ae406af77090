package sim

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/task"
)

// write writes a record in a transaction.
func write(b *Broker, p Producer, sequence int) error {
	_, err := b.Produce(b.Topic("t")[0], Batch{p, "id", sequence, []task.Output{{Topic: "t"}}})
	return err
}

// The outcome of a transaction is decided at once, and seen marker by marker; a producer
// that was fenced writes nothing that anybody sees.
func TestTransactions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(1, 0).Broker
		b.Create("t", 1)
		part, tp := b.Topic("t")[0], kafka.TopicPartition{Topic: "t"}
		p, err := b.initProducer("id")
		if err != nil || write(b, p, 0) != nil {
			t.Fatal(err)
		}
		if err := b.CommitOffsets("id", p, kafka.Identity{Generation: -1}, map[kafka.TopicPartition]kafka.Committed{tp: {Offset: 7}}); err != nil {
			t.Fatal(err)
		}
		next, err := b.end("id", p, true)
		if err != nil || next.Epoch != p.Epoch+1 || part.Stable() != 0 || len(part.Decided(9)) != 1 {
			t.Errorf("%v, %v: the last stable offset is %d, and %d records are decided", next, err, part.Stable(), len(part.Decided(9)))
		}
		if err := write(b, next, 0); !errors.Is(err, kerr.ConcurrentTransactions) {
			t.Errorf("a write before the markers: %v", err)
		}
		if _, err := b.Group.fetch([]kafka.TopicPartition{tp}, true); !errors.Is(err, kerr.UnstableOffsetCommit) {
			t.Errorf("a stable offset before its marker: %v", err)
		}
		b.write(0)
		b.write(0)
		found, err := b.Group.fetch([]kafka.TopicPartition{tp}, true)
		if records, after := part.Read(0, 9); err != nil || found[tp].Offset != 7 || len(records) != 1 || after != 2 {
			t.Errorf("%v, %v: %d records, up to %d", found, err, len(records), after)
		}
	})
}

// A fence ends the transaction of a zombie, and what the zombie sends after it.
func TestFence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(1, 0).Broker
		b.Create("t", 1)
		zombie, _ := b.initProducer("id")
		if err := write(b, zombie, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := b.initProducer("id"); !errors.Is(err, kerr.ConcurrentTransactions) {
			t.Errorf("a fence of an open transaction: %v", err)
		}
		if err := write(b, zombie, 1); err != nil {
			t.Errorf("a write before the marker: %v", err) // it goes the way of the others
		}
		if _, err := b.end("id", zombie, true); !errors.Is(err, kerr.ProducerFenced) {
			t.Errorf("the zombie's commit: %v", err)
		}
		b.write(0)
		if p, err := b.initProducer("id"); err != nil || p.Epoch != zombie.Epoch+2 {
			t.Errorf("%v, %v", p, err)
		}
		if err := write(b, zombie, 2); !errors.Is(err, kerr.InvalidProducerEpoch) {
			t.Errorf("the zombie's write after the marker: %v", err)
		}
		if records, after := b.Topic("t")[0].Read(0, 9); len(records) > 0 || after != 3 {
			t.Errorf("%d records, up to %d", len(records), after)
		}
	})
}
