package topology_test

import (
	"testing"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

// Rule 8 with rule 7: a record that was skipped leaves nothing. But the source topic
// holds it, and a restore takes it from there: the table then has a row that it did
// not have, and, where it was skipped because it cannot be decoded, one that fails
// every lookup.
func TestSkippedRecordStaysOutOfBackedTable(t *testing.T) {
	t.Parallel()
	in := topology.NewTopic("in", serde.String, serde.Int64)
	raw := topology.NewTopic("in", serde.String, serde.String)
	rows := store.KeyValue("rows", serde.String, serde.Int64)
	b := topology.New()
	b.Table(in, rows, topology.SourceAsChangelog()).Stream().Peek(func(_ string, v int64) {
		if v == 13 {
			panic("thirteen")
		}
	})
	if _, err := b.Build(); err != nil {
		t.Fatal(err)
	}
	d := topologytest.New(t, b, topologytest.Failures(topology.Skip, topology.Skip, ""))
	d.Send(in, "a", 1)
	d.Send(in, "a", 13)      // user code fails: undone
	d.Send(raw, "b", "junk") // cannot be decoded
	look := func(when string) {
		t.Helper()
		if n, ok, err := rows.Open(d).Get("a"); n != 1 || !ok || err != nil {
			t.Errorf("%s: a = %d, %v, %v; want 1", when, n, ok, err)
		}
		if n, ok, err := rows.Open(d).Get("b"); ok || err != nil {
			t.Errorf("%s: b = %d, %v, %v; want none", when, n, ok, err)
		}
	}
	look("before a restart")
	d.Restart(topologytest.LoseState)
	look("after it")
}
