//go:build !race

package serde_test

import (
	"math"
	"testing"
	"uuid"

	"github.com/leatstream/leat/pkg/serde"
)

// TestAllocations holds the budget of the hot path. The race detector makes
// sync.Pool drop items on purpose, so it is not run with it.
func TestAllocations(t *testing.T) {
	buf := make([]byte, 0, 256)
	allocations(t, "bool", serde.Bool, true, buf, 0)
	allocations(t, "int16", serde.Int16, 300, buf, 0)
	allocations(t, "int32", serde.Int32, 300, buf, 0)
	allocations(t, "int64", serde.Int64, 300, buf, 0)
	allocations(t, "float32", serde.Float32, 1.5, buf, 0)
	allocations(t, "float64", serde.Float64, math.NaN(), buf, 0)
	allocations(t, "uuid", serde.UUID, uuid.Max(), buf, 0)
	allocations(t, "string", serde.String, "some text that is not short at all", buf, 1)
	allocations(t, "bytes", serde.Bytes, []byte("some bytes"), buf, 1)
	allocations(t, "json", serde.JSON[line](), line{"x", 2}, buf, 2) // the value and its text
}

func allocations[T any](t *testing.T, name string, s serde.Serde[T], v T, buf []byte, decode float64) {
	t.Helper()
	enc, err := s.Append(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _, err = s.Append(buf, v) }); n > 0 {
		t.Errorf("%s: Append allocates %v times", name, n)
	}
	if n := testing.AllocsPerRun(100, func() { _, err = s.Decode(enc) }); n > decode {
		t.Errorf("%s: Decode allocates %v times, want %v", name, n, decode)
	}
}
