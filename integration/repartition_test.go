package integration

import (
	"testing"
	"time"

	"github.com/leatstream/leat/integration/internal/topics"
	"github.com/leatstream/leat/integration/internal/wordcount"
)

// TestRepartitionTopicStaysSmall: what has been processed is deleted from a repartition topic, again and again.
func TestRepartitionTopicStaysSmall(t *testing.T) {
	t.Parallel()
	f := setup(t, "repartition", 4)
	enough := f.feed(200)
	p := f.start(f.processor("a", "wordcount"))
	_, err := p.AtWork(f.ctx)
	f.must(err)

	before := f.span(f.app + "-words-repartition")
	for purge := range 2 { // one might happen at the start only
		after := f.awaitPurge(before)
		f.Logf("purge %d: %d records, %d kept", purge+1, after.End, after.End-after.Start)
		if after.End-after.Start > after.End/5 {
			t.Errorf("%d of %d records are still there", after.End-after.Start, after.End)
		}
		before = after
	}
	f.checkCounts(enough(), wordcount.ExactlyOnce, p)
}

// awaitPurge waits until a good part of the repartition topic is deleted, beyond where it began before.
func (f *fixture) awaitPurge(before topics.Span) topics.Span {
	f.Helper()
	for {
		now := f.span(f.app + "-words-repartition")
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
