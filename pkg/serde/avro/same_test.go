package avro_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/serde/avro"
)

const placed = `{"type":"record","name":"shop.Order","aliases":["Purchase","old.Order"],"fields":[
	{"name":"cents","type":"long","default":5},
	{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
	{"name":"sum","type":["null",{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}],"default":null},
	{"name":"state","aliases":["status"],"type":{"type":"enum","name":"State","symbols":["NEW","PAID"],"default":"NEW"}},
	{"name":"hash","type":{"type":"fixed","name":"Hash","size":4}},
	{"name":"tags","type":{"type":"map","values":"string"},"default":{"b":"1","a":"2"}},
	{"name":"none","type":"null","default":null},
	{"name":"replaces","type":["null","Order"]}]}`

// A schema is the same for all that does not matter to those who read, and another for all
// that does.
func TestSame(t *testing.T) {
	t.Parallel()
	codec := avro.Generic(placed)
	if codec.Err() != nil {
		t.Fatal(codec.Err())
	}
	form := func(text string, references ...string) serde.Schema {
		s := serde.Schema{Type: serde.AvroSchema, Text: text}
		for _, r := range references {
			s.References = append(s.References, serde.Reference{Name: "R", Schema: serde.Schema{Type: serde.AvroSchema, Text: r}})
		}
		return s
	}
	const state = `{"type":"enum","name":"State","symbols":["NEW","PAID"],"default":"NEW"}`
	const stateAlone = `{"type":"enum","name":"State","namespace":"shop","symbols":["NEW","PAID"],"default":"NEW"}`
	for _, s := range []serde.Schema{
		form(placed),
		form(replaced(t, placed, `"name":"shop.Order"`, `"namespace":"shop","doc":"an order","name":"Order"`)),
		form(replaced(t, placed, `["Purchase","old.Order"]`, `["old.Order","shop.Purchase"]`)),
		form(replaced(t, placed, `{"b":"1","a":"2"}`, `{ "a": "2", "b": "1" }`)),
		form(replaced(t, placed, `"type":"long","default":5`, `"default":5,"order":"ignore","type":{"type":"long"}`)),
		form(replaced(t, placed, state, `"shop.State"`), stateAlone),
	} {
		if !codec.Same(s) {
			t.Errorf("not the same: %s", s.Text)
		}
	}
	for _, change := range [][2]string{
		{`"name":"Hash"`, `"name":"Sum"`},
		{`"name":"Hash"`, `"name":"other.Hash"`},
		{`"null","default":null`, `"null"`},
		{"shop.Order", "store.Order"},
		{`"Purchase",`, ``},
		{`"aliases":["status"],`, ``},
		{`"default":5`, `"default":6`},
		{`,"default":5`, ``},
		{`2}],"default":null`, `2}]`},
		{`"default":"NEW"`, `"default":"PAID"`},
		{`,"default":"NEW"`, ``},
		{"timestamp-millis", "timestamp-micros"},
		{"timestamp-millis", "unknown"},
		{`"precision":9`, `"precision":10`},
		{`"scale":2`, `"scale":3`},
		{`"NEW","PAID"`, `"NEW","PAID","SENT"`},
		{`"size":4`, `"size":5`},
		{`"values":"string"`, `"values":"bytes"`},
		{`"type":["null","Order"]`, `"type":["Order","null"]`},
		{`"cents"`, `"cent"`},
		{`,
	{"name":"replaces","type":["null","Order"]}`, ``},
	} {
		other := form(replaced(t, placed, change[0], change[1]))
		if _, err := avro.Load(other); err != nil {
			t.Error(err)
		}
		if codec.Same(other) {
			t.Errorf("%s instead of %s is the same", change[1], change[0])
		}
	}
	if codec.Same(form(`{`)) || codec.Same(serde.Schema{Type: serde.JSONSchema, Text: placed}) || avro.Generic(`{`).Same(form(placed)) {
		t.Error("what is no schema is the same")
	}
}

func replaced(t *testing.T, text, part, by string) string {
	t.Helper()
	if strings.Count(text, part) != 1 {
		t.Fatalf("%s is there %d times", part, strings.Count(text, part))
	}
	return strings.Replace(text, part, by, 1)
}

// nested is a schema of so many records, of which each holds the one before it twice: there
// are twice as many paths with each.
func nested(records int) string {
	text := `{"type":"record","name":"R0","fields":[]}`
	for i := range records {
		text = fmt.Sprintf(`{"type":"record","name":"R%d","fields":[{"name":"a","type":%s},{"name":"b","type":"R%d"}]}`, i+1, text, i)
	}
	return text
}

// Records that are held by many paths are gone through once: else this would take days.
func TestManyPaths(t *testing.T) {
	t.Parallel()
	text := `{"type":"array","items":` + nested(50) + `}`
	codec := avro.Generic(text)
	if codec.Err() != nil {
		t.Fatal(codec.Err())
	}
	if _, err := codec.Decode([]byte{0}); err != nil || !codec.Same(codec.Schema()) || !codec.ReadsAll(codec.Schema()) {
		t.Error("it cannot be read as itself")
	}
}

// So are schemas that are referred to by many paths.
func TestReferencesByManyPaths(t *testing.T) {
	t.Parallel()
	texts := []string{`{"type":"record","name":"R0","fields":[]}`}
	for i := range 30 {
		left := fmt.Sprintf(`{"type":"record","name":"L%d","fields":[{"name":"a","type":"R%d"}]}`, i, i)
		right := fmt.Sprintf(`{"type":"record","name":"R%d","fields":[{"name":"a","type":"L%d"},{"name":"b","type":"R%d"}]}`, i+1, i, i)
		texts = append(texts, left, right)
	}
	last := len(texts) - 1
	codec := avro.Generic(texts[last], texts[:last]...)
	if codec.Err() != nil {
		t.Fatal(codec.Err())
	}
	if s, err := avro.Load(codec.Schema()); err != nil || s.Name() != "R30" {
		t.Errorf("%v, %v", s, err)
	}
}
