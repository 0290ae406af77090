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
// leaves the disk. It writes several times of what may remain.
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
	before := f.span(topic)
	for purge := range 2 { // one might happen at the start only
		after := f.awaitPurge(topic, before)
		f.Logf("purge %d: %d records, %d kept", purge+1, after.End, after.End-after.Start)
		if after.End-after.Start > after.End/5 {
			t.Errorf("%d of %d records are still there", after.End-after.Start, after.End)
		}
		f.awaitDisk(topic, limit)
		before = after
	}
	if written := before.End * wordBytes * 3 / 4; written < 2*limit { // every fourth word is a short one
		t.Errorf("only %d bytes were written: the limit of %d shows nothing", written, limit)
	}
	f.checkCounts(enough(), wordcount.ExactlyOnce, p)
}

// awaitPurge waits until a good part of the repartition topic is deleted, beyond where it ended before.
func (f *fixture) awaitPurge(topic string, before topics.Span) topics.Span {
	f.Helper()
	for {
		now := f.span(topic)
		if now.Start > before.Start && now.Start > before.End {
			return now
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-f.ctx.Done():
			f.Fatalf("nothing is deleted: the topic's partitions begin at %d and end at %d in sum", now.Start, now.End)
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

// span is the sum of the spans of a topic's partitions.
func (f *fixture) span(topic string) (sum topics.Span) {
	f.Helper()
	spans, err := f.topics.Spans(f.ctx, topic)
	f.must(err)
	for _, s := range spans {
		sum.Start += s.Start
		sum.End += s.End
	}
	return sum
}
