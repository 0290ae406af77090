package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/cmd/processor/internal/words"
)

const (
	// topicLimit is Kafka's default limit of a batch of records in a topic.
	topicLimit = 1<<20 + 12
	// lineLimit is what one record's value may have of it.
	lineLimit = topicLimit - 1024
)

// A feed writes a text to a topic, a record for each line.
type feed struct {
	lines, words atomic.Int64 // written so far
	done         atomic.Bool  // all of them are
}

// run writes all of in. It blocks while the client's buffer is full, so that its
// memory is bounded.
func (f *feed) run(ctx context.Context, brokers []string, topic string, in io.Reader) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...),
		kgo.DefaultProduceTopic(topic),
		kgo.ProducerBatchMaxBytes(topicLimit),
		kgo.MaxBufferedBytes(32<<20),
	)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := f.write(ctx, c, in, func(_ *kgo.Record, err error) {
		if err != nil {
			cancel(fmt.Errorf("topic %s: %w", topic, err))
		}
	}); err != nil {
		return err
	}
	if err := c.Flush(ctx); err != nil || ctx.Err() != nil {
		return context.Cause(ctx)
	}
	f.done.Store(true)
	return nil
}

func (f *feed) write(ctx context.Context, c *kgo.Client, in io.Reader, promise func(*kgo.Record, error)) error {
	lines := words.NewLines(in, lineLimit)
	for {
		piece, err := lines.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("input: %w", err)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		line := string(piece)
		f.words.Add(words.Count(line))
		f.lines.Store(int64(lines.Line()))
		c.Produce(ctx, kgo.StringRecord(line), promise)
	}
}
