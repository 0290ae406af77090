// Package jsonschema encodes values as JSON that a JSON Schema describes: nothing that
// breaks the schema is written, and nothing is read. It knows no registry.
package jsonschema

import (
	"bytes"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/leatstream/leat/pkg/serde"
)

// A Serde encodes values of type T as JSON, and validates it.
type Serde[T any] struct {
	name   string
	schema serde.Schema
	valid  *jsonschema.Schema
	values serde.Serde[T]
}

// New returns the serde of T with a schema, of any draft; without $schema it is
// 2020-12. References are other schemas, by what its $refs call them; nothing is fetched.
// Formats are asserted. Options are those of serde.JSON.
//
// Validation reads the JSON once more, in both directions: see docs/serdes.md for what
// that costs.
func New[T any](schema string, references []serde.Reference, options ...json.Options) (*Serde[T], error) {
	s := serde.Schema{Type: serde.JSONSchema, Text: schema, References: references}
	valid, err := compile(s)
	if err != nil {
		return nil, fmt.Errorf("jsonschema: %w", err)
	}
	s.Name = valid.Title
	return &Serde[T]{name: reflect.TypeFor[T]().String(), schema: s, valid: valid, values: serde.JSON[T](options...)}, nil
}

// Append serves serde.Serde.
func (s *Serde[T]) Append(dst []byte, v T) ([]byte, error) {
	out, err := s.values.Append(dst, v)
	if err != nil {
		return dst, err
	}
	if err := validate(s.valid, out[len(dst):]); err != nil {
		return dst, &serde.EncodeError{Type: s.name, Err: err}
	}
	return out, nil
}

// Decode serves serde.Serde.
func (s *Serde[T]) Decode(src []byte) (v T, err error) {
	if err := validate(s.valid, src); err != nil {
		return v, &serde.DecodeError{Type: s.name, Want: "JSON of its schema", Len: len(src), Err: err}
	}
	return s.values.Decode(src)
}

// Schema serves serde.Schematic. Its name is the schema's title.
func (s *Serde[T]) Schema() serde.Schema { return s.schema }

// Reader serves serde.Schematic. JSON describes itself, and whether what another schema
// allows is allowed by ours is asked of each value: Decode, whatever w says.
func (s *Serde[T]) Reader(w serde.Schema) (func(src []byte) (T, error), error) {
	if w.Type != serde.JSONSchema {
		return nil, fmt.Errorf("it is a schema of %v, and not a JSON Schema", w.Type)
	}
	return s.Decode, nil
}

// Same reports whether w is the serde's own schema, however it is written.
func (s *Serde[T]) Same(w serde.Schema) bool {
	return w.Type == serde.JSONSchema && bytes.Equal(canonical(w.Text), canonical(s.schema.Text))
}

func canonical(text string) []byte {
	v := jsontext.Value(text)
	if v.Canonicalize() != nil {
		return []byte(text)
	}
	return v
}

// root is where the schema is while it is compiled, and what its references are
// relative to.
const root = "registry:///schema.json"

func compile(s serde.Schema) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.UseLoader(nothing{})
	seen := map[string]bool{}
	if err := add(c, seen, root, s); err != nil {
		return nil, err
	}
	return c.Compile(root)
}

// add adds a schema and its references, each under the name that others have for it.
func add(c *jsonschema.Compiler, seen map[string]bool, name string, s serde.Schema) error {
	if seen[name] {
		return nil
	}
	seen[name] = true
	doc, err := parse([]byte(s.Text))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := c.AddResource(name, doc); err != nil {
		return err
	}
	for _, r := range s.References {
		at := r.Name
		if !strings.Contains(at, ":") {
			at = "registry:///" + strings.TrimPrefix(at, "/")
		}
		if err := add(c, seen, at, r.Schema); err != nil {
			return err
		}
	}
	return nil
}

// nothing loads nothing: a schema must not make a service fetch addresses.
type nothing struct{}

func (nothing) Load(url string) (any, error) {
	return nil, fmt.Errorf("%q is none of the references", url)
}

func validate(s *jsonschema.Schema, src []byte) error {
	v, err := parse(src)
	if err != nil {
		return err
	}
	err = s.Validate(v)
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		return &InvalidError{Places: places(nil, invalid)}
	}
	return err
}

// parse makes of JSON what the validator takes: numbers keep their digits.
func parse(src []byte) (any, error) {
	return jsonschema.UnmarshalJSON(bytes.NewReader(src))
}
