package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/integration/internal/topics"
	"github.com/leatstream/leat/integration/internal/wordcount"
)

const (
	repartitionPartitions = 4
	segmentBytes          = 1 << 20 // the least that Kafka allows
	wordBytes             = 1000
)

// TestRepartitionTopicStaysSmall: what has been processed is deleted from a repartition topic, again and again, and
// leaves the disk, while several times of what may remain is written.
func TestRepartitionTopicStaysSmall(t *testing.T) {
	t.Parallel()
	f := setup(t, "repartition", repartitionPartitions)
	topic := f.app + "-words-repartition"
	enough := f.feedLong(200, strings.Repeat("x", wordBytes))
	p := f.start(f.processor("a", "wordcount",
		fmt.Sprintf("--internal_topics.configs={%s: {segment.bytes: %d, compression.type: uncompressed}}", topic, segmentBytes)))
	_, err := p.AtWork(f.ctx)
	f.must(err)

	// Per partition: the segment that is written to, the one that is deleted in part, one for what came since.
	const limit = 3 * repartitionPartitions * segmentBytes
	before := f.spans(topic)
	written := int64(0)
	for purge := 1; purge <= 2 || written < 2*limit; purge++ { // one might happen at the start only, and few bytes show nothing
		before = f.awaitPurge(topic, before)
		f.awaitDisk(topic, limit)
		records := sum(before)
		written = records.End * wordBytes * 3 / 4 // every fourth word is a short one
		f.Logf("purge %d: %d records of %d are kept", purge, records.End-records.Start, records.End)
	}
	f.checkCounts(enough(), wordcount.ExactlyOnce, p)
}

// awaitPurge waits until each partition of the repartition topic begins beyond where it ended before.
func (f *fixture) awaitPurge(topic string, before map[int32]topics.Span) map[int32]topics.Span {
	f.Helper()
	for {
		now, left := f.spans(topic), 0
		for p, s := range now {
			if s.Start < before[p].End || s.Start == before[p].Start {
				left++
			}
		}
		if left == 0 {
			return now
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-f.ctx.Done():
			f.Fatalf("what was there is not deleted in %d partitions: they held %v, and hold %v", left, before, now)
		}
	}
}

// awaitDisk waits until the topic takes no more than limit bytes, which it must before the next purge.
func (f *fixture) awaitDisk(topic string, limit int64) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.ctx, 20*time.Second)
	defer cancel()
	for most := int64(0); ; {
		size, err := f.topics.Disk(f.ctx, topic)
		f.must(err)
		if most = max(most, size); size <= limit {
			f.Logf("%d bytes on disk, down from %d", size, most)
			return
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			f.Fatalf("%d bytes are on disk, more than %d", size, limit)
		}
	}
}

func (f *fixture) spans(topic string) map[int32]topics.Span {
	f.Helper()
	spans, err := f.topics.Spans(f.ctx, topic)
	f.must(err)
	return spans
}

// sum is the sum of the spans of a topic's partitions.
func sum(spans map[int32]topics.Span) (sum topics.Span) {
	for _, s := range spans {
		sum.Start += s.Start
		sum.End += s.End
	}
	return sum
}
