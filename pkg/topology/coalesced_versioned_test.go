package topology_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

// Results that wait for a commit meet the rows of their times, although rows that came
// since have gone further than the history: how much is between two commits says nothing.
func TestCoalescedVersionedLookup(t *testing.T) {
	t.Parallel()
	for _, every := range []int{1, 1000} {
		b := topology.New()
		rows := b.Table(letters, store.Versioned("rows", serde.String, serde.String, 10*time.Minute))
		b.From(digits).Count(store.KeyValue("n", serde.String, serde.Int64), topology.Coalesced()).Stream().
			JoinTable(rows, func(_ string, n int64, row string) string { return fmt.Sprint(n, row) }).To(result)
		d := topologytest.New(t, b, topologytest.CommitEvery(every))
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		put := func(topic topology.Topic[string, string], k, v string, minute int) {
			d.Pipe(topic, topology.Record[string, string]{Key: k, Value: v, Time: start.Add(time.Duration(minute) * time.Minute)})
		}
		put(letters, "k", "a", 0)
		put(digits, "k", "1", 5)
		put(letters, "k", "b", 8)
		put(letters, "other", "x", 30)
		put(letters, "k", "c", 31)
		put(digits, "new", "1", 31)
		d.Commit()
		if got := strings.Join(pairs(d.Take(result)), " "); got != "k=1a" {
			t.Errorf("with commits after %d records: %q", every, got)
		}
	}
}
