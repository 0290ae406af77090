package avro_test

import (
	"encoding/hex"
	"runtime"
	"strings"
	"testing"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/serde/avro"
)

const listSchema = `{"type":"record","name":"Node","fields":[{"name":"value","type":"int"},{"name":"next","type":["null","Node"]}]}`

type listNode struct {
	Value int
	Next  *listNode
}

// TestClaims: a few bytes that claim to be many are an error, and make nothing.
func TestClaims(t *testing.T) {
	type big struct {
		Pad  [1 << 10]byte `avro:"-"`
		Byte bool
	}
	const bigSchema = `{"type":"array","items":{"type":"record","name":"B","fields":[{"name":"byte","type":"boolean"}]}}`
	two := "feffffff0f" // 2^31-1, as a long
	for name, c := range map[string]struct {
		decode func([]byte) error
		src    string
	}{
		"string":           {decodes(avro.Of[string]("string")), two + "6161616161"},
		"bytes":            {decodes(avro.Of[[]byte]("bytes")), two + "6161616161"},
		"negative":         {decodes(avro.Of[[]byte]("bytes")), "0161616161"},
		"longs":            {decodes(avro.Of[[]int64](`{"type":"array","items":"long"}`)), two + "0202020202"},
		"strings":          {decodes(avro.Of[map[string]string](`{"type":"map","values":"string"}`)), two + "0202020202"},
		"nulls":            {decodes(avro.Of[[]struct{}](`{"type":"array","items":"null"}`)), two + "00"},
		"least count":      {decodes(avro.Of[[]int64](`{"type":"array","items":"long"}`)), "ffffffffffffffffff0100"},
		"block size":       {decodes(avro.Of[[]int64](`{"type":"array","items":"long"}`)), "01" + two + "0200"},
		"many blocks":      {decodes(avro.Of[[]struct{}](`{"type":"array","items":"null"}`)), strings.Repeat("80f807", 20) + "00"},
		"large items":      {decodes(avro.Of[[]big](bigSchema)), "80f807" + strings.Repeat("03", 1<<16)},
		"generic bytes":    {decodes(avro.Generic("bytes")), two + "6161616161"},
		"generic longs":    {decodes(avro.Generic(`{"type":"array","items":"long"}`)), two + "0202020202"},
		"generic nulls":    {decodes(avro.Generic(`{"type":"array","items":"null"}`)), two + "00"},
		"generic many":     {decodes(avro.Generic(`{"type":"array","items":"null"}`)), strings.Repeat("80f807", 20) + "00"},
		"deep":             {decodes(avro.Of[listNode](listSchema)), strings.Repeat("0002", 1<<20)},
		"generic deep":     {decodes(avro.Generic(listSchema)), strings.Repeat("0002", 1<<20)},
		"generic endless":  {decodes(avro.Generic(`{"type":"record","name":"R","fields":[{"name":"r","type":"R"}]}`)), "00"},
		"skipped":          {decodesAs(t, `{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"array","items":"null"}}]}`), two + "00"},
		"skipped and deep": {decodesAs(t, strings.Replace(listSchema, "Node", "R", 2)), strings.Repeat("0002", 1<<20)},
	} {
		src, err := hex.DecodeString(c.src)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err = c.decode(src)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
			t.Errorf("%s: %d bytes for %d", name, n, len(src))
		}
	}
}

func decodes[T any](c *avro.Codec[T]) func([]byte) error {
	return func(src []byte) error { _, err := c.Decode(src); return err }
}

// decodesAs reads what was written with a record R into one without fields.
func decodesAs(t *testing.T, writer string) func([]byte) error {
	t.Helper()
	read, err := avro.Of[struct{}](`{"type":"record","name":"R","fields":[]}`).Reader(serde.Schema{Text: writer})
	if err != nil {
		t.Fatal(err)
	}
	return func(src []byte) error { _, err := read(src); return err }
}

// TestDepth: a value that is nested as deep as it may be is written and read, and one
// that is a circle is an error.
func TestDepth(t *testing.T) {
	t.Parallel()
	codec := avro.Of[*listNode](listSchema)
	list := &listNode{}
	for range avro.MaxDepth - 1 {
		list = &listNode{1, list}
	}
	b, err := codec.Append(nil, list)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := codec.Decode(b); err != nil {
		t.Error(err)
	}
	v, err := avro.Generic(listSchema).Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := avro.Generic(listSchema).Append(nil, v); err != nil || string(again) != string(b) {
		t.Error(err)
	}
	list.Next = list
	if _, err := codec.Append(nil, list); err == nil || len(err.Error()) > 1000 {
		t.Error(err)
	}
	circle := map[string]any{"value": 1}
	circle["next"] = circle
	if _, err := avro.Generic(listSchema).Append(nil, circle); err == nil {
		t.Error("a circle has been written")
	}
}
