// Package jsonschema encodes values as JSON that a JSON Schema describes: nothing that
// breaks the schema is written, and nothing is read. It knows no registry.
package jsonschema

import (
	"bytes"
	"cmp"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"reflect"

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
// 2020-12. References are other schemas, by what its $refs call them, as they are written
// there; nothing is fetched. Formats are asserted. Options are those of serde.JSON.
//
// A number of more than 1000 digits, or with an exponent beyond 1000, is never valid: to
// compute with it can take longer than any record may.
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
// relative to. None of them can have this name.
const root = "registry:///"

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

// add adds a schema, and its references wherever its $refs may look for them.
func add(c *jsonschema.Compiler, seen map[string]bool, at string, s serde.Schema) error {
	if seen[at] {
		return nil
	}
	seen[at] = true
	doc, err := parse([]byte(s.Text))
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	if err := c.AddResource(at, doc); err != nil {
		return err
	}
	bases := basesOf(doc, at)
	for _, r := range s.References {
		for _, place := range places(r.Name, bases) {
			if err := add(c, seen, place, r.Schema); err != nil {
				return err
			}
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
	if at, found := longNumber(v); found {
		return &InvalidError{Places: []Place{{Pointer: cmp.Or(at, "/"), Message: tooLong}}}
	}
	err = check(s, v)
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		return invalidError(invalid)
	}
	return err
}

// check makes an error of a panic: whatever the validator does not bear, it is what the
// value has brought about.
func check(s *jsonschema.Schema, v any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it cannot be validated: %v", p)
		}
	}()
	return s.Validate(v)
}

// parse makes of JSON what the validator takes: numbers keep their digits.
func parse(src []byte) (any, error) {
	return jsonschema.UnmarshalJSON(bytes.NewReader(src))
}
