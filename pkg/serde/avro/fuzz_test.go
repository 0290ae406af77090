package avro_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/leatstream/leat/pkg/serde/avro"
)

// FuzzDecode feeds any bytes to the decoders of one large schema, in all the ways there
// are. What is accepted must survive being written and read.
func FuzzDecode(f *testing.F) {
	orders, generic := avro.Of[order](orderSchema), avro.Generic(orderSchema)
	single := orders.SingleObject(strings.Replace(orderSchema, `"int"`, `"long"`, 1))
	for _, o := range []order{sampleOrder(), *sampleOrder().Replaces} {
		b, err := orders.Append(nil, o)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		b, _ = single.Append(nil, o)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		v, err := orders.Decode(src)
		g, slow := generic.Decode(src)
		if (err == nil) != (slow == nil) {
			t.Fatalf("%x: %v by plan, %v by goavro", src, err, slow)
		}
		if err == nil {
			enc, err := orders.Append(nil, v)
			other, slow := generic.Append(nil, g)
			if (err == nil) != (slow == nil) || !bytes.Equal(enc, other) {
				t.Fatalf("%x: %x, %v by plan, %x, %v by the generic codec", src, enc, err, other, slow)
			}
			if err == nil { // not a decimal of too many digits
				back, _ := orders.Decode(enc)
				if again, err := orders.Append(nil, back); err != nil || !bytes.Equal(enc, again) {
					t.Fatalf("%x: %+v comes back as %+v, %v", src, v, back, err)
				}
			}
		}
		single.Decode(src)
		if whole, part := single.Check(src), single.Check(single.AppendForm(nil, src)); (whole == nil) != (part == nil) {
			t.Fatalf("%x: %v, and of its form: %v", src, whole, part)
		}
	})
}

// FuzzParse feeds any text to the parser. What is accepted must be a schema for goavro
// too, have a canonical form that is its own, and be compatible with itself.
func FuzzParse(f *testing.F) {
	for l := range lines[struct {
		Schema string `json:"schema"`
	}](f, "canonical.jsonl") {
		f.Add(l.Schema)
	}
	f.Add(orderSchema)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := avro.Parse(text)
		if err != nil {
			return
		}
		canonical, err := avro.Parse(s.Canonical())
		if err != nil || canonical.Canonical() != s.Canonical() || canonical.Fingerprint() != s.Fingerprint() {
			t.Fatalf("%s\ncanonical %s\nof which %v %v", text, s.Canonical(), canonical, err)
		}
		if d := avro.Compatible(s, s); len(d) > 0 {
			t.Fatalf("%s: %v", text, d)
		}
		if err := avro.Generic(text).Err(); err != nil && !strings.Contains(err.Error(), "the default of") {
			t.Fatalf("%s: %v", text, err)
		}
	})
}
