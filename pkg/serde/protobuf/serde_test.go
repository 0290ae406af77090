package protobuf_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/serde/protobuf"
	"github.com/leatstream/leat/pkg/serde/protobuf/internal/orderpb"
	"github.com/leatstream/leat/pkg/serde/serdetest"
)

func order() *orderpb.Order {
	return &orderpb.Order{
		Id: "o-1", Customer: "c-1", State: orderpb.State_STATE_PAID, Placed: timestamppb.New(time.Unix(1, 2)),
		Lines:    []*orderpb.Order_Line{{Article: "a", Cents: 100}, {Article: "b", Cents: -1}},
		Discount: proto.Int64(-5), Payment: &orderpb.Order_Invoice{Invoice: []byte{0, 255}},
		Rates: map[string]float64{"a": 1, "b": 2, "c": 3}, Codes: []int32{1, -1}, Replaces: &orderpb.Order{Id: "o-0"},
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	same := func(a, b *orderpb.Order) bool { return proto.Equal(a, b) }
	serdetest.RunFunc(t, protobuf.New[*orderpb.Order](), same, &orderpb.Order{}, order())
	serdetest.RunNull(t, protobuf.New[*orderpb.Order](), nil)
}

func ExampleNew() {
	addresses := protobuf.New[*orderpb.Customer_Address]()
	b, err := addresses.Append(nil, &orderpb.Customer_Address{City: "Graz"})
	fmt.Printf("%q %v\n", b, err)
	a, err := addresses.Decode(b)
	fmt.Println(a.GetCity(), err)
	fmt.Println(addresses.Schema().Name, addresses.Schema().Index)
	// Output:
	// "\n\x04Graz" <nil>
	// Graz <nil>
	// leat.test.Customer.Address [0 0]
}

// What a newer writer has added survives a service that does not know it.
func TestUnknownFields(t *testing.T) {
	t.Parallel()
	s := protobuf.New[*orderpb.Customer]()
	src := protowire.AppendString(protowire.AppendTag([]byte("\n\x01a"), 99, protowire.BytesType), "new")
	v, err := s.Decode(src)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := s.Append(nil, v); err != nil || !bytes.Equal(b, src) {
		t.Errorf("%q becomes %q, %v", src, b, err)
	}
}

// The schema that is made from the code says what the file says, and a message has the
// place that Java's serializers give it.
func TestSchema(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("internal/orderpb/order.proto")
	if err != nil {
		t.Fatal(err)
	}
	s := protobuf.New[*orderpb.Order]()
	if !s.Same(serde.Schema{Type: serde.ProtobufSchema, Text: string(file)}) {
		t.Errorf("made from the code:\n%s", s.Schema().Text)
	}
	if s.Same(serde.Schema{Type: serde.ProtobufSchema, Text: strings.Replace(string(file), "cents = 2", "cents = 3", 1)}) {
		t.Error("another number is the same")
	}
	for _, c := range []struct {
		schema serde.Schema
		want   []int
	}{
		{s.Schema(), []int{1}},
		{protobuf.New[*orderpb.Customer]().Schema(), []int{0}},
		{protobuf.New[*orderpb.Customer_Address]().Schema(), []int{0, 0}}, // a map is before it
		{protobuf.New[*orderpb.Order_Line]().Schema(), []int{1, 0}},
	} {
		if !slices.Equal(c.schema.Index, c.want) {
			t.Errorf("%s: %v, want %v", c.schema.Name, c.schema.Index, c.want)
		}
	}
	if refs := protobuf.New[*structpb.Struct]().Schema().References; len(refs) > 0 {
		t.Errorf("what everybody has is no reference: %v", refs)
	}
}

func TestReader(t *testing.T) {
	t.Parallel()
	const head = "syntax = \"proto3\"; package leat.test;\n"
	s := protobuf.New[*orderpb.Order]()
	for _, c := range []struct{ name, text, want string }{
		{"fewer fields", `message Order { string id = 1; }`, ""},
		{"more fields", `message Order { string id = 1; string new = 99; }`, ""},
		{"wider types", `message Order { bytes id = 1; int64 state = 4; repeated int64 codes = 10; }`, ""},
		{"one of several", `message Order { string lines = 3; }`, "field lines (3) of leat.test.Order is .leat.test.Order.Line, and string is written"},
		{"several of one", `message Order { repeated string id = 1; }`, "field id (1) of leat.test.Order is one value, and several are written"},
		{"another number", `message Order { int64 discount = 6; }`, "is sint64, and int64 is written"},
		{"a map", `message Order { map<string, string> rates = 9; map<string, string> codes = 10; }`, "field value (2) of leat.test.Order.RatesEntry is double, and string is written\nfield codes (10)"},
		{"within", `message Order { message Line { float cents = 2; } repeated Line lines = 3; Order replaces = 11; }`, "field cents (2) of leat.test.Order.Line"},
		{"another message", `message Customer { string id = 1; }`, "it has no message leat.test.Order"},
		{"nonsense", `message {`, "syntax error"},
		{"a reference that is missing", `import "other.proto"; message Order {}`, `"other.proto" is imported, and is none of the references`},
	} {
		_, err := s.Reader(serde.Schema{Type: serde.ProtobufSchema, Text: head + c.text})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		all := c.want == "" && c.name != "wider types" // bytes need not be text
		if got := s.ReadsAll(serde.Schema{Type: serde.ProtobufSchema, Text: head + c.text}); got != all {
			t.Errorf("%s: all of it is read: %v", c.name, got)
		}
	}
	w := serde.Schema{Type: serde.ProtobufSchema, Text: head + `message A {} message Order {}`}
	for place, want := range map[int]string{0: "the message is leat.test.A", 1: "", 2: "no message at [2]"} {
		w.Index = []int{place}
		if _, err := s.Reader(w); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v", place, err)
		}
	}
	if _, err := s.Reader(serde.Schema{Text: `"string"`}); err == nil {
		t.Error("a schema of Avro is read")
	}
	for _, name := range []string{"lines.proto", "schema.proto"} {
		with := serde.Schema{Type: serde.ProtobufSchema, Text: head + `import "` + name + `"; message Order { repeated Line lines = 3; }`,
			References: []serde.Reference{{Name: name, Schema: serde.Schema{Type: serde.ProtobufSchema, Text: head + `message Line { int64 cents = 2; }`}}}}
		if _, err := s.Reader(with); err != nil {
			t.Error(err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	s := protobuf.New[*orderpb.Order]()
	for _, v := range []*orderpb.Order{{}, order()} {
		b, err := s.Append(nil, v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("\x1a\xff\xff\xff\xff\x07"))
	f.Fuzz(func(t *testing.T, src []byte) {
		v, err := s.Decode(src)
		if err != nil {
			return
		}
		b, err := s.Append(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := s.Decode(b); err != nil {
			t.Fatalf("%q: %v %v", b, again, err)
		}
	})
}

// FuzzReader: a schema comes from outside too.
func FuzzReader(f *testing.F) {
	s := protobuf.New[*orderpb.Order]()
	f.Add(s.Schema().Text, "x.proto", s.Schema().Text, 1)
	f.Add("CgFhEgFi", "", "", 0)
	f.Fuzz(func(_ *testing.T, text, path, other string, place int) {
		s.Reader(serde.Schema{Type: serde.ProtobufSchema, Text: text, Index: []int{place},
			References: []serde.Reference{{Name: path, Schema: serde.Schema{Type: serde.ProtobufSchema, Text: other}}}})
	})
}
