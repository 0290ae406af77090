package jsonschema_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/serde/jsonschema"
	"github.com/leatstream/leat/pkg/serde/serdetest"
)

const schema = `{
  "title": "Payment", "type": "object", "required": ["account", "cents"],
  "properties": {
    "account": {"type": "string", "pattern": "^A-"},
    "cents": {"type": "integer", "minimum": 0},
    "at": {"type": "string", "format": "date-time"},
    "payer": {"$ref": "payer.json"}
  }
}`

const payer = `{"type": "object", "properties": {"name": {"type": "string", "maxLength": 5}}}`

type payment struct {
	Account string `json:"account"`
	Cents   int64  `json:"cents"`
	At      string `json:"at,omitzero"`
	Payer   struct {
		Name string `json:"name"`
	} `json:"payer"`
}

func payments(t testing.TB) *jsonschema.Serde[payment] {
	s, err := jsonschema.New[payment](schema, []serde.Reference{{Name: "payer.json", Schema: serde.Schema{Type: serde.JSONSchema, Text: payer}}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	serdetest.Run(t, payments(t), payment{Account: "A-"}, payment{Account: "A-1", Cents: 1 << 60, At: "2026-11-21T10:00:00Z"})
}

func ExampleNew() {
	type Payment struct {
		Account string `json:"account"`
		Cents   int64  `json:"cents"`
	}
	s, err := jsonschema.New[Payment](`{"properties": {"cents": {"minimum": 0}}}`, nil)
	if err != nil {
		panic(err)
	}
	_, err = s.Append(nil, Payment{"A-1", -1})
	fmt.Println(err)
	_, err = s.Decode([]byte(`{"account": "A-1", "cents": -1}`))
	fmt.Println(err)
	// Output:
	// encode jsonschema_test.Payment: at /cents: is less than the minimum, 0
	// decode jsonschema_test.Payment: want JSON of its schema, got 31 bytes: at /cents: is less than the minimum, 0
}

func TestInvalid(t *testing.T) {
	t.Parallel()
	s := payments(t)
	for src, want := range map[string]string{
		`{"account": "A-1"}`:                                          "/: missing property 'cents'",
		`{"account": "B-1", "cents": -1}`:                             "at /",
		`{"account": "A-1", "cents": 1, "at": "yesterday"}`:           "/at: ",
		`{"account": "A-1", "cents": 1, "payer": {"name": "longer"}}`: "/payer/name: ",
		`{"account": "A-1", "cents": 1.5}`:                            "/cents: ",
		`{"account": `:                                                "",
		`{} {}`:                                                       "",
		`"\xff` + "\xff":                                              "",
	} {
		_, err := s.Decode([]byte(src))
		var typed *serde.DecodeError
		if !errors.As(err, &typed) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", src, err)
		}
	}
	dst := []byte("kept")
	out, err := s.Append(dst, payment{Account: "B"})
	var typed *serde.EncodeError
	var invalid *jsonschema.InvalidError
	if !errors.As(err, &typed) || !errors.As(err, &invalid) || len(invalid.Places) != 1 || invalid.Places[0].Pointer != "/account" || string(out) != "kept" {
		t.Errorf("%q %v", out, err)
	}
}

func TestSchemaMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ schema, want string }{
		{`{"type": 1}`, "jsonschema: "},
		{`{`, "jsonschema: "},
		{`{"$ref": "http://localhost/x.json"}`, "is none of the references"},
		{`{"$ref": "file:///etc/passwd"}`, "is none of the references"},
	} {
		if _, err := jsonschema.New[int](c.schema, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.schema, err)
		}
	}
}

func TestSame(t *testing.T) {
	t.Parallel()
	s := payments(t)
	if s.Schema().Name != "Payment" {
		t.Error(s.Schema().Name)
	}
	if !s.Same(serde.Schema{Type: serde.JSONSchema, Text: strings.ReplaceAll(schema, "\n", " ")}) || s.Same(serde.Schema{Type: serde.JSONSchema, Text: payer}) {
		t.Error("Same")
	}
	if _, err := s.Reader(serde.Schema{Text: `"string"`}); err == nil {
		t.Error("a schema of Avro is read")
	}
}

func FuzzDecode(f *testing.F) {
	s := payments(f)
	for _, seed := range []string{"", "{}", "null", `{"account":"A-1","cents":1}`, `{"account":"A-1","cents":1e400}`, `{"account":"A-1","cents":1e2000000}`, `{"cents":1,"account":"A-","at":"2026-11-21T10:00:00Z","payer":{"name":"x"}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		v, err := s.Decode(src)
		if err != nil {
			return
		}
		b, err := s.Append(nil, v)
		if err != nil {
			t.Fatalf("%q decodes to %+v, which does not encode: %v", src, v, err)
		}
		if again, err := s.Decode(b); err != nil || again != v {
			t.Fatalf("%q: %+v, %v", b, again, err)
		}
	})
}
