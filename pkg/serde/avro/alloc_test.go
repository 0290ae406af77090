//go:build !race

package avro_test

import (
	"testing"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/serde/avro"
)

// TestAllocations holds the budget of the hot path: none to write but for what sorts a
// map's keys and computes a decimal, and what the value itself is made of to read. The
// race detector makes sync.Pool drop items on purpose, so it is not run with it.
func TestAllocations(t *testing.T) {
	flat := avro.Of[flatRecord](flatSchema)
	v := flatRecord{ID: 1 << 40, Count: 7, Price: 9.75, Name: "a name", Code: [4]byte{1}, State: "ON", Ratio: 0.5, OK: true}
	allocations(t, "flat", flat, v, 0, 1) // the string
	allocations(t, "long", avro.Of[int64]("long"), 1<<40, 0, 0)
	allocations(t, "list", avro.Of[[]int64](`{"type":"array","items":"long"}`), []int64{1, 2, 3}, 0, 1)
	allocations(t, "order", avro.Of[order](orderSchema), sampleOrder(), 20, 42)
}

const flatSchema = `{"type":"record","name":"Flat","fields":[
	{"name":"id","type":"long"},{"name":"count","type":"int"},{"name":"price","type":"double"},{"name":"name","type":"string"},
	{"name":"code","type":{"type":"fixed","name":"Code","size":4}},{"name":"state","type":{"type":"enum","name":"State","symbols":["OFF","ON"]}},
	{"name":"ratio","type":"float"},{"name":"ok","type":"boolean"}]}`

type flatRecord struct {
	ID    int64
	Count int32
	Price float64
	Name  string
	Code  [4]byte
	State string
	Ratio float32
	OK    bool
}

func allocations[T any](t *testing.T, name string, s serde.Serde[T], v T, encode, decode float64) {
	t.Helper()
	enc, err := s.Append(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { _, err = s.Append(buf, v) }); n > encode {
		t.Errorf("%s: Append allocates %v times, want %v", name, n, encode)
	}
	if n := testing.AllocsPerRun(100, func() { _, err = s.Decode(enc) }); n > decode {
		t.Errorf("%s: Decode allocates %v times, want %v", name, n, decode)
	}
}
