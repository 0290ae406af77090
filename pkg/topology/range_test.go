package topology_test

import (
	"iter"
	"slices"
	"testing"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

// Ranges of a store go by the bytes of its keys, in both directions.
func TestRanges(t *testing.T) {
	t.Parallel()
	kept := store.KeyValue("kept", serde.String, serde.String)
	b := topology.New()
	b.Table(lefts, kept)
	d := topologytest.New(t, b)
	for _, k := range []string{"a", "ab", "ab\xff", "ab\xff\xff", "ac", "b", "\xff", "\xff\xff"} {
		d.Send(lefts, k, "x")
	}
	rows := kept.Open(d)
	keys := func(entries iter.Seq2[store.Entry[string, string], error]) (out []string) {
		for e, err := range entries {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, e.Key)
		}
		return out
	}
	for name, c := range map[string]struct {
		got  iter.Seq2[store.Entry[string, string], error]
		want []string
	}{
		"range":        {rows.Range("ab", "b"), []string{"ab", "ab\xff", "ab\xff\xff", "ac"}},
		"reversed":     {rows.RangeReversed("ab", "b"), []string{"ac", "ab\xff\xff", "ab\xff", "ab"}},
		"prefix":       {rows.Prefix("ab", serde.String), []string{"ab", "ab\xff", "ab\xff\xff"}},
		"bytes":        {rows.Prefix([]byte{'a', 'b', 0xff}, serde.Bytes), []string{"ab\xff", "ab\xff\xff"}},
		"last prefix":  {rows.Prefix("\xff", serde.String), []string{"\xff", "\xff\xff"}},
		"empty prefix": {rows.Prefix("", serde.String), []string{"a", "ab", "ab\xff", "ab\xff\xff", "ac", "b", "\xff", "\xff\xff"}},
		"no such":      {rows.Prefix("c", serde.String), nil},
	} {
		if got := keys(c.got); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
