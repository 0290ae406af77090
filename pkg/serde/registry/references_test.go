package registry

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/serde/avro"
)

// layered is a text that refers to both schemas of a layer, of which each refers to both of
// the one below: there are twice as many paths with each layer.
type layered struct {
	text
	layers int
}

func (f layered) Schema() serde.Schema {
	var below []serde.Reference
	for i := range f.layers {
		var here []serde.Reference
		for _, side := range []string{"l", "r"} {
			name := fmt.Sprintf("test.T%d%s", i, side)
			s := f.text.Schema()
			s.Name, s.Text, s.References = name, strings.Replace(s.Text, "test.Text", name, 1), below
			here = append(here, serde.Reference{Name: name, Schema: s})
		}
		below = here
	}
	s := f.text.Schema()
	s.References = below
	return s
}

// However many paths lead to a schema, it is asked for once.
func TestReferencesByManyPaths(t *testing.T) {
	t.Parallel()
	r := setup(t)
	f := layered{text{field: "a"}, 10}
	b, err := serde.At(r.client.Serde(f, Options{Register: Always}), inValue).Append(nil, "x")
	if err != nil {
		t.Fatal(err)
	}
	if n := r.requests.Load(); n > 100 {
		t.Errorf("%d requests to register 21 schemas", n)
	}
	asked := r.requests.Load()
	if _, err := serde.At(r.another().Serde(f, Options{}), inValue).Append(nil, "x"); err != nil || r.requests.Load() > asked+30 {
		t.Errorf("%d requests to find 21 schemas: %v", r.requests.Load()-asked, err)
	}
	asked = r.requests.Load()
	if _, err := serde.At(r.another().Serde(f, Options{}), inValue).Decode(b); err != nil || r.requests.Load() > asked+30 {
		t.Errorf("%d requests to read 21 schemas: %v", r.requests.Load()-asked, err)
	}
}

// A registry that answers with circles is not followed round and round.
func TestReferencesTooDeep(t *testing.T) {
	t.Parallel()
	r := setup(t)
	var refs []sr.SchemaReference
	for i := range maxDepth + 3 {
		name := fmt.Sprintf("test.T%d", i)
		s := sr.Schema{Schema: strings.Replace(text{field: "a"}.Schema().Text, "test.Text", name, 1), References: refs}
		if _, _, err := r.fake.RegisterSchema(name, s); err != nil {
			t.Fatal(err)
		}
		refs = []sr.SchemaReference{{Name: name, Subject: name, Version: 1}}
	}
	_, err := serde.At(r.client.Serde(text{field: "a"}, Options{}), inValue).Decode([]byte{0, 0, 0, 0, maxDepth + 3, 'x'})
	if err == nil || errors.Is(err, serde.ErrUnavailable) || !strings.Contains(err.Error(), "more than 16 deep") {
		t.Errorf("%v", err)
	}
}

// A schema that means the same is found although what it refers to is registered under
// other subjects, or not by itself. If there is none, the first thing that is missing is
// named.
func TestSameWithOtherReferences(t *testing.T) {
	t.Parallel()
	r := setup(t)
	f := layered{text{field: "a"}, 1}
	r.seed("in-value", f.text)
	if _, err := serde.At(r.client.Serde(f, Options{}), inValue).Append(nil, "x"); !errors.Is(err, ErrNotRegistered) || !strings.Contains(err.Error(), `reference "test.T0l": not registered`) {
		t.Errorf("%v", err)
	}
	if _, err := serde.At(r.client.Serde(tolerantOf{f}, Options{}), inValue).Append(nil, "x"); err != nil {
		t.Error(err)
	}
	if _, err := serde.At(r.client.Serde(tolerantOf{layered{text{field: "b"}, 1}}, Options{}), inValue).Append(nil, "x"); !errors.Is(err, ErrNotRegistered) || !strings.Contains(err.Error(), `reference "test.T0l": not registered`) {
		t.Errorf("%v", err)
	}
}

// tolerantOf takes a schema with the same field for the same.
type tolerantOf struct{ layered }

func (f tolerantOf) Same(s serde.Schema) bool { return tolerant{f.text}.Same(s) }

// An Avro schema that is written in another way is found.
func TestAvroWrittenOtherwise(t *testing.T) {
	t.Parallel()
	r := setup(t)
	const theirs = `{"type":"record","name":"Order","namespace":"shop","doc":"An order","fields":[{"name":"cents","type":"long"}]}`
	if _, _, err := r.fake.RegisterSchema("in-value", sr.Schema{Schema: theirs}); err != nil {
		t.Fatal(err)
	}
	type order struct {
		Cents int64 `avro:"cents"`
	}
	codec := avro.Of[order](`{"type":"record","name":"shop.Order","fields":[{"name":"cents","type":"long"}]}`)
	if _, err := serde.At(r.client.Serde(codec, Options{}), inValue).Append(nil, order{1}); err != nil {
		t.Error(err)
	}
}
