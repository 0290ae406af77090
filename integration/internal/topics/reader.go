package topics

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A Reader reads the committed records of a topic from its start. It is not safe for concurrent use.
type Reader struct {
	ts    *Topics
	topic string
	cl    *kgo.Client
	next  map[int32]int64 // offsets to go on from
}

// Reader returns a reader of a topic. It must be closed.
func (ts *Topics) Reader(topic string) (*Reader, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(ts.seeds...), kgo.ConsumeTopics(topic),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.KeepControlRecords()) // they tell how far it has read where all else was aborted
	if err != nil {
		return nil, err
	}
	return &Reader{ts: ts, topic: topic, cl: cl, next: make(map[int32]int64)}, nil
}

// Close ends the reader.
func (r *Reader) Close() { r.cl.Close() }

// Next waits for records.
func (r *Reader) Next(ctx context.Context) (records []*kgo.Record, err error) {
	for len(records) == 0 {
		if records, err = r.poll(ctx); err != nil {
			return nil, err
		}
	}
	return records, nil
}

func (r *Reader) poll(ctx context.Context) (records []*kgo.Record, err error) {
	fetches := r.cl.PollFetches(ctx)
	if err := fetches.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", r.topic, err)
	}
	for rec := range fetches.RecordsAll() {
		r.next[rec.Partition] = rec.Offset + 1
		if !rec.Attrs.IsControl() {
			records = append(records, rec)
		}
	}
	return records, nil
}

// Rest hands over what there is up to the end of the topic as it is now.
func (r *Reader) Rest(ctx context.Context, each func(*kgo.Record) error) error {
	spans, err := r.ts.Spans(ctx, r.topic)
	if err != nil {
		return err
	}
	for p, span := range spans {
		for span.Start < span.End && r.next[p] < span.End {
			records, err := r.poll(ctx)
			if err != nil {
				return err
			}
			for _, rec := range records {
				if err := each(rec); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// All hands over the committed records of a topic.
func (ts *Topics) All(ctx context.Context, topic string, each func(*kgo.Record) error) error {
	r, err := ts.Reader(topic)
	if err != nil {
		return err
	}
	defer r.Close()
	return r.Rest(ctx, each)
}
