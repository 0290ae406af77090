package jsonschema_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/serde/jsonschema"
)

func of(t *testing.T, schema string, references ...serde.Reference) *jsonschema.Serde[any] {
	t.Helper()
	s, err := jsonschema.New[any](schema, references)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A number that a validator cannot bear, or that keeps it busy, is an error with its place,
// whatever the schema asks of it.
func TestLongNumbers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ schema, src, at string }{
		{`{"properties": {"cents": {"minimum": 0}}}`, `{"cents": 1e1000001}`, "/cents"},
		{`{"properties": {"cents": {"multipleOf": 2}}}`, `{"cents": -1E+1000001}`, "/cents"},
		{`{"uniqueItems": true}`, `[` + strings.Repeat("1,", 20) + `1e1000001]`, "/20"},
		{`{"items": {"type": "integer"}}`, `[` + strings.Repeat("1e1000000,", 20) + `1]`, "/0"},
		{`{"type": "number"}`, `1e-1001`, "/"},
		{`{"type": "number"}`, `1e99999999999999999999`, "/"},
		{`{"type": "number"}`, strings.Repeat("9", 1001), "/"},
		{`true`, `{"c": 1e2000, "a": [0, {"b/c": 1e2000}], "b": 1e2000}`, "/a/1/b~1c"},
	} {
		_, err := of(t, c.schema).Decode([]byte(c.src))
		var typed *serde.DecodeError
		var invalid *jsonschema.InvalidError
		if !errors.As(err, &typed) || !errors.As(err, &invalid) || len(invalid.Places) != 1 || invalid.Places[0].Pointer != c.at {
			t.Errorf("%.40s: %v", c.src, err)
		}
	}
	numbers := of(t, `{"items": {"type": "number", "minimum": -1e10}}`)
	if _, err := numbers.Decode([]byte(`[0, -1.5, 1e300, 1E-300, 123456789012345678901234567890, 1e+0000000000005]`)); err != nil {
		t.Error(err)
	}
}

// An error says where and what is wanted, in a few words, and not what was there.
func TestErrorHoldsNoValue(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("secret", 10000)
	number := "1234567"
	for _, c := range []struct{ schema, src, want string }{
		{`{"pattern": "^DE"}`, `"` + long + `"`, `does not match the pattern "^DE"`},
		{`{"format": "date-time"}`, `"` + long + `"`, "is not a valid date-time"},
		{`{"format": "regex"}`, `"(` + long + `"`, "is not a valid regex"},
		{`{"format": "uri"}`, `"%zz` + long + `"`, "is not a valid uri"},
		{`{"const": "a"}`, `"` + long + `"`, "value must be 'a'"},
		{`{"enum": ["a", "b"]}`, `"` + long + `"`, "value must be one of 'a', 'b'"},
		{`{"type": "integer"}`, `"` + long + `"`, "got string, want integer"},
		{`{"maxLength": 5}`, `"` + long + `"`, "maxLength: got 60,000, want 5"},
		{`{"minimum": 2000000.5}`, number, "is less than the minimum, 2.0000005e+06"},
		{`{"maximum": 2}`, number, "is greater than the maximum, 2"},
		{`{"exclusiveMinimum": 2000000}`, number, "is not greater than 2e+06"},
		{`{"exclusiveMaximum": 2}`, number, "is not less than 2"},
		{`{"multipleOf": 2}`, number, "is not a multiple of 2"},
		{`{"contains": {"const": 1}, "maxContains": 1}`, `[` + strings.Repeat("1,", 9999) + `1]`, "10000 items match what it may contain, want at most 1"},
		{`{"contains": {"const": 1}, "minContains": 2}`, `[1]`, "1 items match what it must contain, want at least 2"},
		{`{"additionalProperties": false}`, `{"` + long + `": 1}`, `additional properties are not allowed: "secretsecret`},
		{`{"additionalProperties": false}`, `{"f":1,"e":1,"d":1,"c":1,"b":1,"a":1,"g":1}`, `not allowed: "a", "b", "c", "d", "e" and 2 more`},
		{`{"propertyNames": {"pattern": "^a"}}`, `{"` + long + `": 1}`, `no member may be called "secretsecret`},
		{`{"additionalProperties": {"type": "integer"}}`, `{"` + long + `": "x"}`, "got string, want integer"},
	} {
		_, err := of(t, c.schema).Decode([]byte(c.src))
		if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 400 || strings.Contains(err.Error(), number) {
			t.Errorf("%s: %.500v", c.schema, err)
		}
	}
}

// The same value has the same error each time: it may be written into a dead letter.
func TestErrorIsTheSame(t *testing.T) {
	t.Parallel()
	var src strings.Builder
	for i := range 20 {
		fmt.Fprintf(&src, `,"m%d": "x", "n/%d": "x"`, i, i)
	}
	s := of(t, `{"additionalProperties": {"type": "integer"}}`)
	for range 20 {
		_, err := s.Decode([]byte("{" + src.String()[1:] + "}"))
		if err == nil || !strings.Contains(err.Error(), "at /m0: got string, want integer; at /m1: got string, want integer; at /m10: got string") || !strings.HasSuffix(err.Error(), "; and more") {
			t.Fatal(err)
		}
	}
}

// References go by what $refs call them, wherever the schema says that it is.
func TestReferenceNames(t *testing.T) {
	t.Parallel()
	named := func(name, text string, references ...serde.Reference) serde.Reference {
		return serde.Reference{Name: name, Schema: serde.Schema{Type: serde.JSONSchema, Text: text, References: references}}
	}
	const short = `{"maxLength": 5}`
	for _, c := range []struct {
		schema    string
		reference serde.Reference
	}{
		{`{"$ref": "payer.json"}`, named("payer.json", short)},
		{`{"$ref": "schema.json"}`, named("schema.json", short)},
		{`{"$ref": "/payer.json"}`, named("/payer.json", short)},
		{`{"$ref": "parts/payer.json"}`, named("parts/payer.json", short)},
		{`{"$ref": "https://a.example/payer.json"}`, named("https://a.example/payer.json", short)},
		{`{"$id": "https://shop.example/v1/order.json", "$ref": "payer.json"}`, named("payer.json", short)},
		{`{"$id": "https://shop.example/v1/order.json", "$ref": "../payer.json"}`, named("../payer.json", short)},
		{`{"$id": "https://shop.example/v1/order.json", "$ref": "https://a.example/payer.json"}`, named("https://a.example/payer.json", short)},
		{`{"$id": "https://shop.example/v1/order.json", "$ref": "payer.json"}`, named("payer.json", `{"$id": "https://shop.example/v1/payer.json", "maxLength": 5}`)},
		{`{"$id": "orders/order.json", "$ref": "payer.json"}`, named("payer.json", short)},
		{`{"allOf": [{"$id": "https://shop.example/v1/part.json", "$ref": "payer.json"}]}`, named("payer.json", short)},
		{`{"$schema": "http://json-schema.org/draft-04/schema#", "id": "https://shop.example/order.json", "allOf": [{"$ref": "payer.json"}]}`, named("payer.json", short)},
		{`{"$ref": "parts/payer.json"}`, named("parts/payer.json", `{"$ref": "name.json"}`, named("name.json", short))},
		{`{"$id": "https://shop.example/order.json", "$ref": "parts/payer.json"}`, named("parts/payer.json", `{"$ref": "../name.json"}`, named("../name.json", short))},
	} {
		s, err := jsonschema.New[any](c.schema, []serde.Reference{c.reference})
		if err != nil {
			t.Errorf("%s: %v", c.schema, err)
			continue
		}
		if _, err := s.Decode([]byte(`"long text"`)); err == nil {
			t.Errorf("%s: the reference is not asked", c.schema)
		}
		if _, err := s.Decode([]byte(`"short"`)); err != nil {
			t.Errorf("%s: %v", c.schema, err)
		}
	}
}
