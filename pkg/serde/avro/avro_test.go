package avro_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"
	"uuid"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/serde/avro"
	"github.com/leatstream/leat/pkg/serde/serdetest"
)

const orderSchema = `{"type": "record", "name": "Order", "namespace": "shop", "fields": [
	{"name": "id", "type": "long"},
	{"name": "customer", "type": "string"},
	{"name": "status", "type": {"type": "enum", "name": "Status", "symbols": ["NEW", "PAID", "SENT"]}},
	{"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
	{"name": "placed", "type": {"type": "long", "logicalType": "timestamp-millis"}},
	{"name": "due", "type": ["null", {"type": "int", "logicalType": "date"}], "default": null},
	{"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "Line", "fields": [
		{"name": "article", "type": "string"},
		{"name": "count", "type": "int"},
		{"name": "price", "type": "double"},
		{"name": "note", "type": ["null", "string"], "default": null}]}}},
	{"name": "labels", "type": {"type": "map", "values": "string"}},
	{"name": "payment", "type": ["null", {"type": "record", "name": "Card", "fields": [{"name": "number", "type": "string"}]},
		{"type": "record", "name": "Transfer", "fields": [{"name": "iban", "type": "string"}]}, "string"]},
	{"name": "trace", "type": {"type": "fixed", "name": "Trace", "size": 16, "logicalType": "uuid"}},
	{"name": "replaces", "type": ["null", "Order"], "default": null}]}`

type order struct {
	base
	Status   status            `avro:"status"`
	Total    *big.Rat          `avro:"total"`
	Placed   time.Time         `avro:"placed"`
	Due      *time.Time        `avro:"due"`
	Lines    []line            `avro:"lines"`
	Labels   map[string]string `avro:"labels"`
	Payment  payment           `avro:"payment"`
	Trace    uuid.UUID         `avro:"trace"`
	Replaces *order            `avro:"replaces"`
	Cached   int               `avro:"-"`
}

type base struct {
	ID       int64
	Customer string
}

type status string

type line struct {
	Article string
	Count   int
	Price   float64
	Note    *string
}

// payment holds one of the branches.
type payment struct {
	Card     *card     `avro:"shop.Card"`
	Transfer *transfer `avro:"Transfer"`
	Other    *string   `avro:"string"`
}

type card struct{ Number string }

type transfer struct{ IBAN string }

func sampleOrder() order {
	due := time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC)
	first := order{
		base: base{7, "ada"}, Status: "NEW", Total: big.NewRat(0, 1), Placed: time.UnixMilli(0).UTC(), Lines: []line{},
		Labels: map[string]string{},
	}
	return order{
		base: base{-1 << 40, "gr\u00fc\u00df"}, Status: "SENT", Total: big.NewRat(-12345, 100), Placed: time.UnixMilli(1763719200123).UTC(), Due: &due,
		Lines:  []line{{"a", 1, 9.5, nil}, {"b", 65535, -0.25, new("fragile")}},
		Labels: map[string]string{"x": "1", "y": "2", "z": "3", "": "4"}, Payment: payment{Transfer: &transfer{"DE00"}},
		Trace: uuid.Max(), Replaces: &first,
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	full, empty := sampleOrder(), *sampleOrder().Replaces
	orders := avro.Of[order](orderSchema)
	generic := avro.Generic(orderSchema)
	var values []any
	for _, o := range []order{full, empty} {
		b, err := orders.Append(nil, o)
		if err != nil {
			t.Fatal(err)
		}
		v, err := generic.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, v)
	}
	equal := func(a, b any) bool { return fmt.Sprintf("%+v", a) == fmt.Sprintf("%+v", b) } // a *big.Rat differs inside
	t.Run("struct", func(t *testing.T) {
		serdetest.RunFunc(t, orders, func(a, b order) bool { return sameOrder(a, b) }, full, empty)
	})
	t.Run("pointer", func(t *testing.T) {
		serdetest.RunFunc(t, avro.Of[*order](orderSchema), func(a, b *order) bool { return sameOrder(*a, *b) }, &full, &empty)
	})
	t.Run("generic", func(t *testing.T) {
		serdetest.RunFunc(t, generic, func(a, b any) bool { return equal(plainRats(a), plainRats(b)) }, values...)
	})
	t.Run("single object", func(t *testing.T) {
		serdetest.RunFunc(t, orders.SingleObject(), func(a, b order) bool { return sameOrder(a, b) }, full, empty)
	})
	t.Run("long", func(t *testing.T) { serdetest.Run(t, avro.Of[int64]("long"), 0, -1, 1<<62) })
	t.Run("null", func(t *testing.T) { serdetest.Run(t, avro.Of[struct{}]("null"), struct{}{}) })
	t.Run("generic null", func(t *testing.T) { serdetest.Run(t, avro.Generic("null"), nil) })
	t.Run("optional", func(t *testing.T) { serdetest.Run(t, avro.Of[*string](`["null","string"]`), nil, new(""), new("a")) })
	t.Run("slice", func(t *testing.T) {
		serdetest.Run(t, avro.Of[[]string](`{"type":"array","items":"string"}`), []string{}, []string{"", "b"})
	})
	t.Run("optional slice", func(t *testing.T) {
		serdetest.Run(t, avro.Of[[]byte](`["null","bytes"]`), nil, []byte{}, []byte("b"))
	})
	t.Run("omitzero", func(t *testing.T) {
		type zeros struct {
			A string    `avro:",omitzero"`
			B time.Time `avro:"b,omitzero"`
		}
		serdetest.Run(t, avro.Of[zeros](`{"type":"record","name":"Z","fields":[{"name":"a","type":["null","string"]},
			{"name":"b","type":[{"type":"long","logicalType":"timestamp-micros"},"null"]}]}`), zeros{}, zeros{"a", time.UnixMicro(1).UTC()})
	})
	t.Run("map", func(t *testing.T) {
		serdetest.Run(t, avro.Of[map[string][]int](`{"type":"map","values":{"type":"array","items":"long"}}`),
			map[string][]int{}, map[string][]int{"a": {1}, "b": {}, "c": {2, 3}, "d": {4}})
	})
}

func sameOrder(a, b order) bool {
	for {
		if a.Total.Cmp(b.Total) != 0 || (a.Replaces == nil) != (b.Replaces == nil) {
			return false
		}
		x, y := a.Replaces, b.Replaces
		a.Total, b.Total, a.Replaces, b.Replaces = nil, nil, nil, nil
		if !reflect.DeepEqual(a, b) {
			return false
		}
		if x == nil {
			return true
		}
		a, b = *x, *y
	}
}

// plainRats makes numbers of pointers, for a comparison by text.
func plainRats(v any) any {
	switch v := v.(type) {
	case *big.Rat:
		return v.String()
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			out[k] = plainRats(x)
		}
		return out
	}
	return v
}

func TestGenericValues(t *testing.T) {
	t.Parallel()
	b, err := avro.Of[order](orderSchema).Append(nil, sampleOrder())
	if err != nil {
		t.Fatal(err)
	}
	v, err := avro.Generic(orderSchema).Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(plainRats(v))
	want := "map[customer:gr\u00fc\u00df due:2026-12-24 00:00:00 +0000 UTC id:-1099511627776 labels:map[:4 x:1 y:2 z:3] " +
		"lines:[map[article:a count:1 note:<nil> price:9.5] map[article:b count:65535 note:fragile price:-0.25]] " +
		"payment:{shop.Transfer map[iban:DE00]} placed:2025-11-21 10:00:00.123 +0000 UTC replaces:map[customer:ada due:<nil> id:7 " +
		"labels:map[] lines:[] payment:<nil> placed:1970-01-01 00:00:00 +0000 UTC replaces:<nil> status:NEW total:0/1 " +
		"trace:00000000-0000-0000-0000-000000000000] status:SENT total:-2469/20 trace:ffffffff-ffff-ffff-ffff-ffffffffffff]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Values without bytes are values in the middle of others.
func TestGenericWithoutBytes(t *testing.T) {
	t.Parallel()
	c := avro.Generic(`{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"fixed","name":"F","size":0}},
		{"name":"u","type":["F","string"]},{"name":"e","type":{"type":"record","name":"E","fields":[]}},{"name":"n","type":"null"},{"name":"i","type":"int"}]}`)
	v := map[string]any{"f": []byte{}, "u": avro.Branch{Name: "F", Value: []byte{}}, "e": map[string]any{}, "n": nil, "i": int32(3)}
	b, err := c.Append(nil, v)
	if err != nil || string(b) != "\x00\x06" {
		t.Fatalf("%x %v", b, err)
	}
	if got, err := c.Decode(b); err != nil || !reflect.DeepEqual(got, any(v)) {
		t.Errorf("%v %v", got, err)
	}
	v["f"] = []byte{1}
	if b, err := c.Append(nil, v); err == nil || !strings.Contains(err.Error(), "has 1 bytes, want 0") {
		t.Errorf("%x %v", b, err)
	}
}

func TestGenericMistakes(t *testing.T) {
	t.Parallel()
	record := `{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":["int","string"],"default":3}]}`
	for _, c := range []struct {
		schema string
		v      any
		want   string // an error, or the bytes
	}{
		{"int", 1 << 31, "2147483648 does not fit into int"},
		{"int", "x", "Go's string cannot be int"},
		{"string", nil, "nil cannot be string"},
		{record, map[string]any{"a": 1}, "020006"},
		{record, map[string]any{"a": 1, "b": avro.Branch{Name: "string", Value: "x"}}, "02020278"},
		{record, map[string]any{}, "R: a: is missing and has no default"},
		{record, map[string]any{"a": 1, "c": 1}, `R has no field "c"`},
		{record, map[string]any{"a": 1, "b": 2}, "b: Go's int cannot be union of int, string"},
		{record, map[string]any{"a": 1, "b": avro.Branch{Name: "long", Value: 2}}, `union of int, string has no branch "long"`},
		{record, map[string]any{"a": 1, "b": avro.Branch{Name: "int", Value: "2"}}, "b: Go's string cannot be int"},
		{`{"type":"array","items":"int"}`, []any{1, true}, "array: [1]: Go's bool cannot be int"},
		{`{"type":"map","values":"int"}`, map[string]any{"k": true}, `map: ["k"]: Go's bool cannot be int`},
		{`{"type":"enum","name":"E","symbols":["A"]}`, "B", `"B" is no symbol of E`},
		{`{"type":"fixed","name":"F","size":2}`, []byte("abc"), "has 3 bytes, want 2"},
		{`{"type":"int","logicalType":"date"}`, time.Now().AddDate(1e7, 0, 0), "does not fit into date"},
		{`{"type":"int","logicalType":"time-millis"}`, 25 * time.Hour, "25h0m0s is no time of day"},
		{"long", time.Now(), "Go's time.Time cannot be long"},
		{"long", time.Hour, "Go's time.Duration cannot be long"},
		{"bytes", big.NewRat(1, 2), "Go's *big.Rat cannot be bytes"},
		{"bytes", uuid.Nil(), "Go's uuid.UUID cannot be bytes"},
		{"bytes", avro.Duration{}, "Go's avro.Duration cannot be bytes"},
		{`{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`, big.NewRat(1, 3), "1/3 has more than 2 digits behind the point"},
		{`{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`, big.NewRat(100, 1), "100.00 has more than 4 digits"},
		{`{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`, (*big.Rat)(nil), "is nil"},
	} {
		b, err := avro.Generic(c.schema).Append(nil, c.v)
		got := hex.EncodeToString(b)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s, %v: %s, want %s", c.schema, c.v, got, c.want)
		}
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	t.Parallel()
	orders := avro.Of[order](orderSchema)
	good := sampleOrder()
	b, _ := orders.Append(nil, good)

	_, err := orders.Decode(b[:56])
	var decode *serde.DecodeError
	var field *avro.FieldError
	if !errors.As(err, &decode) || !errors.As(err, &field) || field.Schema != "shop.Order" || field.Path != "lines[1].note" {
		t.Errorf("%v", err)
	}
	want := "decode avro_test.order: want Avro, got 56 bytes: shop.Order: lines[1].note: " +
		"has a length of 7 where 1 bytes are left"
	if err.Error() != want {
		t.Errorf("got %v", err)
	}
	if _, err = avro.Generic(orderSchema).Decode(b[:56]); !errors.As(err, &field) || field.Path != "lines[1].note" {
		t.Errorf("generic: %v", err)
	}
	if _, err = orders.Decode(append(b, 0)); err == nil || !strings.HasSuffix(err.Error(), "shop.Order: 1 bytes are left over") {
		t.Errorf("%v", err)
	}

	bad := good
	bad.Payment = payment{Card: &card{}, Other: new("x")}
	dst := []byte("kept")
	out, err := orders.Append(dst, bad)
	var encode *serde.EncodeError
	if !errors.As(err, &encode) || !errors.As(err, &field) || field.Path != "payment" || string(out) != "kept" {
		t.Errorf("%q, %v", out, err)
	}
	bad = good
	bad.Replaces = &order{Status: "LOST"}
	if _, err = orders.Append(nil, bad); !errors.As(err, &field) || field.Path != "replaces.status" {
		t.Errorf("%v", err)
	}
}

// TestMistakes shows what a codec says of a schema or a type that will not do.
func TestMistakes(t *testing.T) {
	t.Parallel()
	type tagged struct {
		A int `avro:"a,omitempty"`
	}
	type embeds struct{ *line }
	record := func(fields string) string { return `{"type":"record","name":"R","fields":[` + fields + `]}` }
	a := record(`{"name":"a","type":"int"}`)
	for _, c := range []struct {
		err  error
		want []string
	}{
		{avro.Of[int](`{`).Err(), []string{"avro schema: "}},
		{avro.Of[string]("int").Err(), []string{"avro: string by the schema int:\nint and Go's string do not go together; want an integer"}},
		{avro.Of[any]("int").Err(), []string{"int and Go's interface {} do not go together"}},
		{avro.Of[struct{ B int }](a).Err(), []string{`has no field for "a" of R`, `has a field "B" and R has not`}},
		{avro.Of[struct{ A *int }](a).Err(), nil},
		{avro.Of[struct{ A int }](record(`{"name":"a","type":["null","int"]}`)).Err(), []string{"a: union of null, int may be null and Go's int cannot"}},
		{avro.Of[struct{ A int }](record(`{"name":"a","type":"int","default":"x"}`)).Err(), []string{`the default of R.a: "x" is no int`}},
		{avro.Of[struct{ A int }](record(`{"name":"a","type":["string","int"]}`)).Err(), []string{"a: union of string, int and Go's int"}},
		{avro.Of[struct{ A payment }](record(`{"name":"a","type":["null","string","int"]}`)).Err(),
			[]string{"a: avro_test.payment has no field for the branch int of a union", "more fields than"}},
		{avro.Of[struct{ A struct{ S, I int } }](record(`{"name":"a","type":["string","int"]}`)).Err(), []string{"no field for the branch string"}},
		{avro.Of[struct {
			A struct {
				S string `avro:"string"`
				I *int   `avro:"int"`
			}
		}](record(`{"name":"a","type":["string","int"]}`)).Err(), []string{"the field for the branch string is no pointer"}},
		{avro.Of[tagged](a).Err(), []string{`has the option "omitempty" in its tag; only omitzero is known`}},
		{avro.Of[embeds](a).Err(), []string{"embeds *avro_test.line"}},
		{avro.Of[struct {
			A int
			B int `avro:"a"`
		}](a).Err(), []string{"has two fields for"}},
		{avro.Of[struct{ A float32 }](record(`{"name":"a","type":"double"}`)).Err(), []string{"want float64"}},
		{avro.Of[struct{ A []byte }](record(`{"name":"a","type":{"type":"fixed","name":"F","size":3}}`)).Err(), []string{"want [3]byte"}},
		{avro.Of[struct{ A string }](record(`{"name":"a","type":{"type":"bytes","logicalType":"decimal","precision":3}}`)).Err(), []string{"want *big.Rat"}},
		{avro.Of[map[int]int](`{"type":"map","values":"int"}`).Err(), []string{"keys that are strings"}},
		{avro.Of[*int](`["null"]`).Err(), []string{"union of null and Go's *int"}},
	} {
		if (c.err == nil) != (c.want == nil) {
			t.Errorf("%v, want %q", c.err, c.want)
		}
		for _, want := range c.want {
			if c.err != nil && !strings.Contains(c.err.Error(), want) {
				t.Errorf("%v\nwant %s", c.err, want)
			}
		}
	}
	bad := avro.Of[string]("int")
	if _, err := bad.Append(nil, ""); !errors.Is(err, bad.Err()) {
		t.Error("Append", err)
	}
	if _, err := bad.Decode(nil); !errors.Is(err, bad.Err()) {
		t.Error("Decode", err)
	}
	if _, err := bad.Reader(bad.Schema()); !errors.Is(err, bad.Err()) {
		t.Error("Reader", err)
	}
	if err := bad.Start(t.Context(), serde.Reads); err != bad.Err() {
		t.Error("Start", err)
	}
	if _, err := bad.SingleObject().Append(nil, ""); !errors.Is(err, bad.Err()) {
		t.Error("SingleObject", err)
	}
}

func TestNumbersThatDoNotFit(t *testing.T) {
	t.Parallel()
	fails := func(err error, want string) {
		t.Helper()
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	_, err := avro.Of[int8]("int").Decode([]byte{0x80, 0x02})
	fails(err, "128 does not fit into int8")
	_, err = avro.Of[uint8]("long").Decode([]byte{0x01})
	fails(err, "-1 does not fit into uint8")
	_, err = avro.Of[uint64]("long").Decode([]byte{0x01})
	fails(err, "-1 does not fit into uint64")
	_, err = avro.Of[uint64]("long").Append(nil, 1<<63)
	fails(err, "9223372036854775808 does not fit into long")
	_, err = avro.Of[int64]("int").Append(nil, 1<<31)
	fails(err, "2147483648 does not fit into int")
	_, err = avro.Of[int32]("int").Decode([]byte{0xff, 0xff, 0xff, 0xff, 0x1f})
	fails(err, "a number is longer than its type allows")
	_, err = avro.Of[int64]("long").Decode([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00"))
	fails(err, "a number is longer than its type allows")
	_, err = avro.Of[time.Duration](`{"type":"long","logicalType":"time-micros"}`).Decode([]byte("\x01"))
	fails(err, "-1 is no time of day in units of 1\u00b5s")
	_, err = avro.Of[bool]("boolean").Decode([]byte{2})
	fails(err, "a boolean is 2, want 0 or 1")
	_, err = avro.Of[time.Time](`{"type":"long","logicalType":"timestamp-nanos"}`).Append(nil, time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC))
	fails(err, "does not fit into timestamp-nanos")
}

// TestLocalTime: what counts is what the clock shows, in whatever zone.
func TestLocalTime(t *testing.T) {
	t.Parallel()
	noon := time.Date(2000, 1, 1, 12, 0, 0, 0, time.FixedZone("EET", 2*3600))
	for schema, want := range map[string]int64{
		`{"type":"long","logicalType":"timestamp-millis"}`:       946720800000, // the specification's examples
		`{"type":"long","logicalType":"local-timestamp-millis"}`: 946728000000,
	} {
		b, err := avro.Of[time.Time](schema).Append(nil, noon)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := avro.Of[int64](schema).Decode(b); got != want || err != nil {
			t.Errorf("%s: %d, %v; want %d", schema, got, err, want)
		}
	}
}
