package main

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/serde/serdetest"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

// record makes a record that no other is equal to.
func record(rnd *rand.Rand, size int) []byte {
	b := make([]byte, 0, size)
	for len(b) < size {
		b = binary.BigEndian.AppendUint64(b, rnd.Uint64())
	}
	return b
}

func TestShuffle(t *testing.T) {
	t.Parallel()
	d := topologytest.New(t, build())
	rnd := rand.New(rand.NewPCG(1, 2))
	want := map[int32]Tally{}
	told := 0
	for i := range 20_000 {
		value := record(rnd, 64)
		matches(nil, value, func(c int32, v []byte) {
			w := want[c]
			w.Records, w.Checksum = w.Records+1, crc32.Update(w.Checksum, crc32.IEEETable, v)
			if want[c] = w; w.Records%tellEvery == 0 {
				told++
			}
		})
		d.Pipe(records, topology.Record[[]byte, []byte]{Value: value, NullKey: true, Time: time.UnixMilli(int64(i))})
	}
	got := d.Take(results)
	if told < 1000 || len(got) != told {
		t.Errorf("%d results, and not %d", len(got), told)
	}
	kept := tallies.Open(d)
	for c, w := range want {
		if tl, _, err := kept.Get(c); err != nil || tl != w {
			t.Errorf("consumer %d: %v, %v, not %v", c, tl, err, w)
		}
	}
}

func TestSerde(t *testing.T) {
	t.Parallel()
	serdetest.Run(t, tally{}, Tally{}, Tally{1, 2}, Tally{1 << 40, 1<<32 - 1})
}

// BenchmarkShuffle is what a record costs, with all that it matches, the driver's topics
// included.
func BenchmarkShuffle(b *testing.B) {
	d := topologytest.New(b, build(), topologytest.CommitEvery(10_000))
	rnd := rand.New(rand.NewPCG(1, 2))
	r := topology.Record[[]byte, []byte]{NullKey: true}
	b.ReportAllocs()
	for b.Loop() {
		r.Value = record(rnd, 1024)
		d.Pipe(records, r)
	}
}
