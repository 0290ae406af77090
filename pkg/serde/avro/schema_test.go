package avro_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/serde/avro"
)

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{``, "unexpected EOF"},
		{`{"type":"int"`, "unexpected EOF"},
		{`1`, "1 is no type"},
		{`{}`, `a type has no attribute "type"`},
		{`"x.Y"`, `type "x.Y" is not defined`},
		{`[]`, "a union holds nothing"},
		{`["int","int"]`, "a union holds int twice"},
		{`["int",["null"]]`, "a union holds a union"},
		{`{"type":"array"}`, `an array has no attribute "items"`},
		{`{"type":"fixed","name":"F","size":-1}`, `fixed F has a size of "-1"`},
		{`{"type":"fixed","name":"F","size":99999999999}`, "size of"},
		{`{"type":"fixed","name":"F"}`, "size of"},
		{`{"type":"enum","name":"E","symbols":["A","A"]}`, `enum E: "A" is no symbol, or is there twice`},
		{`{"type":"enum","name":"E","symbols":["A"],"default":"B"}`, `the default "B" is none of its symbols`},
		{`{"type":"record","name":"1","fields":[]}`, `"1" is no name`},
		{`{"type":"record","name":"int","fields":[]}`, `cannot be called "int"`},
		{`{"type":"record","fields":[]}`, `"" is no name`},
		{`{"type":"record","name":"R"}`, `record R has no attribute "fields"`},
		{`{"type":"record","name":"R","fields":[{"name":"a"}]}`, `R.a: has no attribute "type"`},
		{`{"type":"record","name":"R","fields":[{"name":"a-b","type":"int"}]}`, `"a-b" is no name for a field`},
		{`{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}`, `two fields "a"`},
		{`{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"enum","name":"R","symbols":[]}}]}`, `type "R" is defined twice`},
		{`{"type":"bytes","logicalType":"decimal","precision":1000000}`, "precision of 1000000; at most 65536"},
		{strings.Repeat(`{"type":"array","items":`, 300) + `"int"` + strings.Repeat(`}`, 300), "nested more than 200 deep"},
	} {
		if _, err := avro.Parse(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.text, err, c.want)
		}
	}
}

// TestIgnored holds what is no error: unknown attributes and logical types that do not
// fit, and forms that are not in the specification but in use.
func TestIgnored(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`int`, ` "int" `, `{"type":{"type":"int"}}`, `{"type":["int"]}`,
		`{"type":"int","logicalType":"timestamp-millis"}`, `{"type":"int","logicalType":7}`, `{"type":"int","logicalType":"cheese"}`,
		`{"type":"bytes","logicalType":"decimal"}`, `{"type":"bytes","logicalType":"decimal","precision":2,"scale":3}`,
		`{"type":"fixed","name":"F","size":"16","logicalType":"duration","doc":1,"doc":2}`,
		`{"type":"fixed","name":"F","size":1,"logicalType":"decimal","precision":3}`,
		`{"type":"record","name":"R","namespace":"","fields":[{"name":"a","type":"string","order":"ignore","default":7}]}`,
	} {
		if _, err := avro.Parse(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := avro.Of[int32](`{"type":"int","logicalType":"timestamp-millis"}`).Err(); err != nil {
		t.Error(err)
	}
}

// TestEndlessDefaults: records whose defaults hold one another, and unions that make
// the number of ways to read a default explode.
func TestEndlessDefaults(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"type":"record","name":"R","fields":[{"name":"r","type":"R","default":{}}]}`,
		`{"type":"record","name":"R","fields":[{"name":"r","type":["R",{"type":"record","name":"S","fields":[
			{"name":"a","type":["R","S"],"default":{}},{"name":"b","type":["S","R"],"default":{}}]}],"default":{}}]}`,
	} {
		if err := avro.Generic(text).Err(); err == nil {
			t.Errorf("%s has a default?", text)
		}
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	const (
		currency = `{"type":"enum","name":"Currency","namespace":"money","symbols":["EUR","CHF"]}`
		amount   = `{"type":"record","name":"Amount","namespace":"money","fields":[{"name":"cents","type":"long"},{"name":"in","type":"Currency"}]}`
		bill     = `{"type":"record","name":"Bill","namespace":"shop","fields":[{"name":"sum","type":"money.Amount"},{"name":"tip","type":["null","money.Amount"]}]}`
	)
	type sum struct {
		Cents int64
		In    string
	}
	type billing struct {
		Sum sum
		Tip *sum
	}
	codec := avro.Of[billing](bill, currency, amount)
	if codec.Err() != nil {
		t.Fatal(codec.Err())
	}
	form := codec.Schema()
	if len(form.References) != 1 || form.References[0].Name != "money.Amount" || form.References[0].Schema.References[0].Name != "money.Currency" {
		t.Errorf("%+v", form)
	}
	b, err := codec.Append(nil, billing{Sum: sum{150, "CHF"}})
	if err != nil || fmt.Sprintf("%x", b) != "ac020200" {
		t.Errorf("%x, %v", b, err)
	}
	read, err := codec.Reader(form)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := read(b); err != nil || v.Sum.In != "CHF" {
		t.Error(v, err)
	}
	s, err := avro.Load(form)
	if err != nil || !strings.Contains(s.Canonical(), `"name":"money.Currency","type":"enum"`) {
		t.Error(s, err)
	}
	if _, err := avro.Parse(bill); err == nil {
		t.Error("a type that is not defined is none")
	}
	if _, err := avro.Load(serde.Schema{Type: serde.ProtobufSchema}); err == nil {
		t.Error("Protobuf is not Avro")
	}
}

func TestCompatible(t *testing.T) {
	t.Parallel()
	writer := `{"type":"record","name":"R","fields":[
		{"name":"a","type":"string"},
		{"name":"b","type":{"type":"array","items":{"type":"record","name":"S","fields":[{"name":"x","type":"long"}]}}},
		{"name":"c","type":["null","int","boolean"]},
		{"name":"d","type":{"type":"enum","name":"E","symbols":["A","B"]}},
		{"name":"e","type":{"type":"long","logicalType":"timestamp-millis"}},
		{"name":"f","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
		{"name":"g","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
		{"name":"h","type":{"type":"fixed","name":"F","size":2}}]}`
	reader := `{"type":"record","name":"R","fields":[
		{"name":"a","type":"int"},
		{"name":"b","type":{"type":"array","items":{"type":"record","name":"S","fields":[{"name":"x","type":"int"},{"name":"y","type":"int"}]}}},
		{"name":"c","type":["null","long"]},
		{"name":"d","type":{"type":"enum","name":"E","symbols":["A"]}},
		{"name":"e","type":{"type":"long","logicalType":"timestamp-micros"}},
		{"name":"f","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":3}},
		{"name":"g","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}},
		{"name":"h","type":{"type":"fixed","name":"F","size":3}},
		{"name":"i","type":"int","default":"none"}]}`
	w, err := avro.Parse(writer)
	if err != nil {
		t.Fatal(err)
	}
	r, err := avro.Parse(reader)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"a: string: the reader has int",
		"b[].x: long: the reader has int",
		"b[].y: the writer has no such field, and the reader has no default",
		"c: boolean: the reader's union of null, long has no branch for it (some values only)",
		"d: enum E: the reader has no symbol B, and no default (some values only)",
		"e: long (timestamp-millis): was written as timestamp-millis and would be read as timestamp-micros",
		"f: bytes (decimal): was written as a decimal of scale 2 and would be read with scale 3",
		"h: fixed F: has 2 bytes, the reader wants 3",
		`i: the writer has no such field, and the reader's default is none: "none" is no int`,
	}
	differences := avro.Compatible(w, r)
	for i, d := range differences {
		if i >= len(want) || d.String() != want[i] {
			t.Errorf("%d: %s", i, d)
		}
	}
	if len(differences) != len(want) {
		t.Errorf("%d differences, want %d", len(differences), len(want))
	}
	if len(avro.Compatible(w, w)) > 0 {
		t.Error("a schema differs from itself")
	}
}

// TestReader: what can never be read is refused at once, and what can in part is read
// in part.
func TestReader(t *testing.T) {
	t.Parallel()
	longs := avro.Of[int64]("long")
	_, err := longs.Reader(serde.Schema{Text: `"string"`})
	var incompatible *avro.IncompatibleError
	if !errors.As(err, &incompatible) || err.Error() != "avro: what was written as string cannot be read as long: string: the reader has long" {
		t.Error(err)
	}
	read, err := longs.Reader(serde.Schema{Text: `["int","string"]`})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := read([]byte{0, 6}); v != 3 || err != nil {
		t.Error(v, err)
	}
	if v, err := read([]byte{2, 0}); err == nil || !strings.Contains(err.Error(), "cannot be read: string: the reader has long") {
		t.Error(v, err)
	}
}

func TestSingleObject(t *testing.T) {
	t.Parallel()
	v1 := `{"type":"record","name":"P","fields":[{"name":"x","type":"int"}]}`
	v2 := `{"type":"record","name":"P","fields":[{"name":"x","type":"long"},{"name":"y","type":"string","default":"none"}]}`
	type p1 struct{ X int32 }
	type p2 struct {
		X int64
		Y string
	}
	old, now := avro.Of[p1](v1).SingleObject(), avro.Of[p2](v2).SingleObject(v1)
	b, err := old.Append([]byte("-"), p1{5})
	if err != nil || len(b) != 12 || b[1] != 0xC3 || b[2] != 0x01 {
		t.Fatalf("%x, %v", b, err)
	}
	if v, err := now.Decode(b[1:]); err != nil || v != (p2{5, "none"}) {
		t.Error(v, err)
	}
	if err := now.Check(b[1:]); err != nil {
		t.Error(err)
	}
	b, _ = now.Append(nil, p2{6, "y"})
	if _, err := old.Decode(b); !errors.Is(err, avro.ErrUnknownSchema) {
		t.Error(err)
	}
	if form := old.AppendForm(nil, b); string(form) != string(b[:10]) {
		t.Errorf("the form is %x", form)
	}
	if err := old.Check(b); !errors.Is(err, serde.ErrUnreadable) {
		t.Error(err)
	}
	for _, src := range []string{"", "\xc3\x01", "\xc3\x02345678901"} {
		if _, err := old.Decode([]byte(src)); err == nil {
			t.Errorf("%q is a single object?", src)
		}
		if err := old.Check([]byte(src)); !errors.Is(err, serde.ErrUnreadable) {
			t.Error(err)
		}
	}
	if err := avro.Of[p2](v2).SingleObject(`"string"`).Err(); err == nil {
		t.Error("a schema that cannot be read is known")
	}
}

// A symbol that the reader lacks leaves a doubt; what the reader has and the
// writer lacks does not.
func TestDoubts(t *testing.T) {
	t.Parallel()
	wide, narrow := `{"type":"enum","name":"E","symbols":["A","B"]}`, `{"type":"enum","name":"E","symbols":["A"]}`
	for _, c := range []struct {
		reader, writer string
		doubt          bool
	}{{narrow, wide, true}, {wide, narrow, false}, {wide, wide, false}} {
		codec := avro.Of[string](c.reader)
		if got := codec.ReadsAll(serde.Schema{Type: serde.AvroSchema, Text: c.writer}); got == c.doubt {
			t.Errorf("%s reads all of %s: %v", c.reader, c.writer, got)
		}
		written, err := avro.Of[string](c.writer).SingleObject().Append(nil, "A")
		if err != nil {
			t.Fatal(err)
		}
		s := codec.SingleObject(c.writer)
		if got := serde.Doubts(s, s.AppendForm(nil, written)); got != c.doubt || serde.Doubts(s, nil) {
			t.Errorf("%s of %s: a doubt %v", c.reader, c.writer, got)
		}
	}
	if avro.Of[string](narrow).ReadsAll(serde.Schema{Type: serde.AvroSchema, Text: "none"}) {
		t.Error("what is no schema is read")
	}
}
