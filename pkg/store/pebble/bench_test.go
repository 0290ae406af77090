package pebble

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/leatstream/leat/internal/engine"
)

// The benchmarks work on a million keys of 16 bytes in random order, values of
// 64 bytes, half of them random.
const benchKeys = 1_000_000

var benchNS = engine.Namespace{Store: "counts", Partition: 3}

// benchKey spreads the numbers below benchKeys over all 16 byte keys. Odd ones
// are never written.
func benchKey(dst []byte, n uint64) []byte {
	dst = binary.BigEndian.AppendUint64(dst, n*0x9e3779b97f4a7c15)
	return binary.BigEndian.AppendUint64(dst, n)
}

func benchValue(dst []byte, rng *rand.Rand) []byte {
	for range 4 {
		dst = binary.BigEndian.AppendUint64(dst, rng.Uint64())
	}
	return append(dst, "somewhat repetitive as values are..."[:32]...)
}

func benchFill(b *testing.B, e engine.Engine) {
	rng := rand.New(rand.NewPCG(1, 2))
	var batch engine.Batch
	for n := range uint64(benchKeys) {
		batch.Set(benchNS, benchKey(nil, 2*n), benchValue(nil, rng))
		if len(batch.Ops) == 10_000 {
			if err := e.Write(&batch); err != nil {
				b.Fatal(err)
			}
			batch.Reset()
		}
	}
}

func BenchmarkEngine(b *testing.B) {
	e := mustOpen(b, b.TempDir(), Options{}, vfs.Default)
	defer mustClose(b, e)
	benchFill(b, e)
	rng := rand.New(rand.NewPCG(3, 4))
	b.Run("GetHit", func(b *testing.B) { benchGet(b, e, rng, 0) })
	b.Run("GetMiss", func(b *testing.B) { benchGet(b, e, rng, 1) })
	b.Run("Range50", func(b *testing.B) { benchRange(b, e, rng) })
	for _, size := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("Set/batch=%d", size), func(b *testing.B) { benchSet(b, e, rng, size) })
	}
}

func benchGet(b *testing.B, e engine.Engine, rng *rand.Rand, odd uint64) {
	b.ReportAllocs()
	var key, value []byte
	for range b.N {
		key = benchKey(key[:0], 2*rng.Uint64N(benchKeys)+odd)
		var ok bool
		var err error
		if value, ok, err = e.Get(benchNS, key, value[:0]); err != nil || ok != (odd == 0) {
			b.Fatalf("Get = %v, %v", ok, err)
		}
	}
}

func benchRange(b *testing.B, e engine.Engine, rng *rand.Rand) {
	b.ReportAllocs()
	var key []byte
	for range b.N {
		key = benchKey(key[:0], 2*rng.Uint64N(benchKeys))
		it, err := e.Range(benchNS, key, nil, false)
		if err != nil {
			b.Fatal(err)
		}
		for n := 0; n < 50 && it.Next(); n++ {
			_ = it.Value()
		}
		if err := it.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// benchSet counts an entry as one operation.
func benchSet(b *testing.B, e engine.Engine, rng *rand.Rand, size int) {
	b.ReportAllocs()
	var batch engine.Batch
	arena := make([]byte, 0, size*80)
	for n := 0; n < b.N; n += size {
		arena = arena[:0]
		for range size {
			k := len(arena)
			arena = benchKey(arena, 2*rng.Uint64N(benchKeys))
			v := len(arena)
			arena = benchValue(arena, rng)
			batch.Set(benchNS, arena[k:v], arena[v:])
		}
		if err := e.Write(&batch); err != nil {
			b.Fatal(err)
		}
		batch.Reset()
	}
}
