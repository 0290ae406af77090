package avro

import (
	"bufio"
	"encoding/hex"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"fmt"
	"math/big"
	"os"
	"reflect"
	"testing"
	"time"
	"unsafe"
	"uuid"
)

// A golden is a line of testdata/resolution.jsonl.
type golden struct {
	Name   string         `json:"name"`
	Writer jsontext.Value `json:"writer"`
	Reader jsontext.Value `json:"reader"`
	Bytes  string         `json:"bytes"`
}

func goldens(t testing.TB) (out []golden) {
	t.Helper()
	f, err := os.Open("testdata/resolution.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Buffer(nil, 1<<20); s.Scan(); {
		var g golden
		if err := json.Unmarshal(s.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		out = append(out, g)
	}
	return out
}

// A twin reads and writes one type in both ways: by the plan of a Go type that is made
// up for the schema, and by goavro.
type twin struct {
	writer, reader *Schema
	typ            reflect.Type
	read           readFn
	write          writeFn
	slow           func(src []byte) (any, error)
	generic        *generic
}

// newTwin returns nil if nothing can be read, or no type can be made up: reflection
// makes no recursive ones.
func newTwin(t testing.TB, writerText, readerText string) *twin {
	t.Helper()
	writer, err := Parse(writerText)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := Parse(readerText)
	if err != nil {
		t.Fatal(err)
	}
	typ := madeUp(reader.root, nil)
	s, err := plan(writer, reader)
	if err != nil || typ == nil {
		return nil
	}
	g, err := newGeneric(reader)
	if err != nil {
		t.Fatal(err)
	}
	w := &twin{writer: writer, reader: reader, typ: typ, generic: g}
	if w.slow, err = g.reader(s); err != nil {
		t.Fatal(err)
	}
	b := newBinder()
	w.read, w.write = b.read(s, typ, false), b.write(reader.root, typ, false)
	if b.errs != nil {
		t.Fatalf("%s\n%s: %v", readerText, typ, b.errs)
	}
	return w
}

// check reads src in both ways: both must fail, or both must give what is written as
// the same bytes.
func (w *twin) check(t testing.TB, src []byte) {
	t.Helper()
	p := reflect.New(w.typ).UnsafePointer()
	fast, slow := w.fast(src, p), error(nil)
	v, slow := w.slow(src)
	if (fast == nil) != (slow == nil) {
		t.Fatalf("%s as %s\n%s\n%x: by plan %v, by goavro %v", w.writer, w.reader, w.typ, src, fast, slow)
	}
	if fast != nil {
		return
	}
	e := encoder{}
	fast = w.write(&e, p)
	out, slow := w.generic.append(nil, v)
	if (fast == nil) != (slow == nil) || fast == nil && string(out) != string(e.buf) {
		t.Fatalf("%s as %s\n%s\n%x: by plan %x %v, by the generic codec %x %v", w.writer, w.reader, w.typ, src, e.buf, fast, out, slow)
	}
}

func (w *twin) fast(src []byte, p unsafe.Pointer) error {
	c := cursor{buf: src}
	if err := w.read(&c, p); err != nil {
		return err
	}
	return c.end()
}

// TestTwins holds the plans against goavro for every golden case.
func TestTwins(t *testing.T) {
	t.Parallel()
	n := 0
	for _, g := range goldens(t) {
		w := newTwin(t, string(g.Writer), string(g.Reader))
		if w == nil {
			continue
		}
		n++
		src, _ := hex.DecodeString(g.Bytes)
		w.check(t, src)
		for i := range src { // whatever happens must happen to both
			w.check(t, src[:i])
			for _, c := range []byte{0, 1, 2, 3, 0x7f, 0x80, 0xff} {
				changed := append([]byte{}, src...)
				changed[i] = c
				w.check(t, changed)
			}
		}
	}
	if n < 400 {
		t.Errorf("only %d pairs", n)
	}
}

// FuzzTwins reads any bytes by any of the golden pairs of schemas, by plan and by
// goavro, and compares.
func FuzzTwins(f *testing.F) {
	var twins []*twin
	for _, g := range append(goldens(f), logicals...) {
		if w := newTwin(f, string(g.Writer), string(g.Reader)); w != nil {
			src, _ := hex.DecodeString(g.Bytes)
			f.Add(len(twins), src)
			twins = append(twins, w)
		}
	}
	f.Fuzz(func(t *testing.T, i int, src []byte) {
		if i >= 0 {
			twins[i%len(twins)].check(t, src)
		}
	})
}

// FuzzSchemas reads any bytes by any pair of schemas.
func FuzzSchemas(f *testing.F) {
	for _, g := range append(goldens(f), logicals...) {
		src, _ := hex.DecodeString(g.Bytes)
		f.Add(string(g.Writer), string(g.Reader), src)
	}
	f.Fuzz(func(t *testing.T, writer, reader string, src []byte) {
		for _, text := range []string{writer, reader} {
			s, err := Parse(text)
			if err != nil || s.check() != nil {
				return
			}
			large := false
			walk(s.root, map[*node]bool{}, func(n *node) { large = large || n.size > 1000 })
			if large {
				return
			}
		}
		if w := newTwin(t, writer, reader); w != nil {
			w.check(t, src)
		}
	})
}

// logicals are pairs with logical types, which the golden ones have not.
var logicals = []golden{
	{Writer: allLogical(""), Reader: allLogical(""), Bytes: ""},
	{Writer: allLogical(""), Reader: allLogical(`{"name":"new","type":{"type":"bytes","logicalType":"decimal","precision":3,"scale":1},"default":"\u0010"},`)},
}

func allLogical(first string) jsontext.Value {
	return jsontext.Value(`{"type":"record","name":"L","fields":[` + first + `
		{"name":"a","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":3}},
		{"name":"b","type":{"type":"fixed","name":"F","size":5,"logicalType":"decimal","precision":11}},
		{"name":"c","type":{"type":"int","logicalType":"date"}},
		{"name":"d","type":{"type":"int","logicalType":"time-millis"}},
		{"name":"e","type":{"type":"long","logicalType":"time-micros"}},
		{"name":"f","type":{"type":"long","logicalType":"timestamp-millis"}},
		{"name":"g","type":{"type":"long","logicalType":"timestamp-micros"}},
		{"name":"h","type":{"type":"long","logicalType":"timestamp-nanos"}},
		{"name":"i","type":{"type":"long","logicalType":"local-timestamp-millis"}},
		{"name":"j","type":{"type":"string","logicalType":"uuid"}},
		{"name":"k","type":{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}},
		{"name":"l","type":{"type":"fixed","name":"D","size":12,"logicalType":"duration"}},
		{"name":"m","type":["null",{"type":"bytes","logicalType":"decimal","precision":4,"scale":4}]}]}`)
}

// madeUp returns a Go type that goes with n.
func madeUp(n *node, open []*node) reflect.Type {
	for _, o := range open {
		if o == n {
			return nil
		}
	}
	switch {
	case n.logical == decimal:
		return ratType
	case n.logical == uuidType:
		return reflect.TypeFor[uuid.UUID]()
	case n.logical == duration:
		return durationType
	case n.logical == timeMillis || n.logical == timeMicros:
		return reflect.TypeFor[time.Duration]()
	case n.logical != none:
		return reflect.TypeFor[time.Time]()
	}
	switch n.kind {
	case kindNull:
		return reflect.TypeFor[struct{}]()
	case kindBoolean:
		return reflect.TypeFor[bool]()
	case kindInt:
		return reflect.TypeFor[int32]()
	case kindLong:
		return reflect.TypeFor[int]()
	case kindFloat:
		return reflect.TypeFor[float32]()
	case kindDouble:
		return reflect.TypeFor[float64]()
	case kindBytes:
		return reflect.TypeFor[[]byte]()
	case kindFixed:
		return reflect.ArrayOf(n.size, reflect.TypeFor[byte]())
	case kindArray, kindMap:
		item := madeUp(n.item, open)
		if item == nil {
			return nil
		}
		if n.kind == kindMap {
			return reflect.MapOf(reflect.TypeFor[string](), item)
		}
		return reflect.SliceOf(item)
	case kindRecord:
		return madeUpStruct(n.fields, append(open, n))
	case kindUnion:
		return madeUpUnion(n, open)
	}
	return reflect.TypeFor[string]()
}

func madeUpStruct(fields []*field, open []*node) reflect.Type {
	var out []reflect.StructField
	for i, f := range fields {
		typ := madeUp(f.node, open)
		if typ == nil {
			return nil
		}
		out = append(out, reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: typ, Tag: reflect.StructTag(`avro:"` + f.name + `"`)})
	}
	return reflect.StructOf(out)
}

// madeUpUnion makes no type for a union of nothing but null.
func madeUpUnion(n *node, open []*node) reflect.Type {
	var branches []*field
	for _, b := range n.branches {
		if b.kind != kindNull {
			branches = append(branches, &field{name: b.label(), node: b})
		}
	}
	if len(branches) == 0 {
		return nil
	}
	if len(branches) == 1 {
		typ := madeUp(branches[0].node, open)
		if typ == nil || len(n.branches) == 1 {
			return typ
		}
		return madeUpPointer(typ)
	}
	var out []reflect.StructField
	for i, b := range branches {
		typ := madeUp(b.node, open)
		if typ == nil {
			return nil
		}
		out = append(out, reflect.StructField{Name: fmt.Sprintf("B%d", i), Type: madeUpPointer(typ), Tag: reflect.StructTag(`avro:"` + b.name + `"`)})
	}
	return reflect.StructOf(out)
}

func madeUpPointer(t reflect.Type) reflect.Type {
	if k := t.Kind(); k == reflect.Slice || k == reflect.Map || t == reflect.TypeFor[*big.Rat]() {
		return t
	}
	return reflect.PointerTo(t)
}
