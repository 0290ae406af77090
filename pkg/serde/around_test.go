package serde_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/window"
)

// A probe is a serde of strings that has all that a serde may have, and writes down what it
// is asked. Its bytes are a mark, unless that is in the headers, where it was placed, and
// the text. A text that begins with ? is doubted, one that begins with ! unreadable.
type probe struct {
	place serde.Place
	asked *[]string
}

func (s probe) ask(format string, args ...any) {
	*s.asked = append(*s.asked, fmt.Sprintf(format, args...))
}

func (s probe) At(p serde.Place) serde.Serde[string] { s.place = p; return s }

func (s probe) Append(dst []byte, v string) ([]byte, error) {
	s.ask("append %s", s.place.Topic)
	return append(append(dst, '#'), v...), nil
}

func (s probe) Decode(src []byte) (string, error) {
	if len(src) == 0 || src[0] != '#' {
		return "", fmt.Errorf("%q has no mark", src)
	}
	return string(src[1:]), nil
}

func (s probe) AppendRecord(dst []byte, v string, h serde.Headers) ([]byte, error) {
	h.Set("mark", []byte(s.place.Topic))
	return append(dst, v...), nil
}

func (s probe) DecodeRecord(src []byte, h serde.Headers) (string, error) {
	if _, ok := h.Get("mark"); !ok {
		return s.Decode(src)
	}
	h.Delete("mark")
	return string(src), nil
}

var errProbe = errors.New("a mistake")

func (s probe) Start(_ context.Context, use serde.Use) error {
	s.ask("start %s %d", s.place.Topic, use)
	return errProbe
}

func (s probe) Check(src []byte) error {
	if bytes.HasPrefix(src, []byte("#!")) {
		return serde.ErrUnreadable
	}
	return nil
}

func (s probe) AppendForm(dst, src []byte) []byte { return append(dst, src[:min(2, len(src))]...) }

func (s probe) Doubts(form []byte) bool { return bytes.HasPrefix(form, []byte("#?")) }

func (s probe) Route(key []byte) []byte { return key[:min(2, len(key))] }

func (s probe) ZeroIsNull() bool { return true }

// plain is a probe that has none of it.
type plain struct{ serde.Serde[string] }

// records are the headers of one record.
type records map[string][]byte

func (h records) Get(key string) ([]byte, bool) { v, ok := h[key]; return v, ok }
func (h records) Set(key string, value []byte)  { h[key] = value }
func (h records) Delete(key string)             { delete(h, key) }

// methods are what a serde may have besides Append and Decode. Each is one that is looked
// for somewhere: what is not in this list is handed on by nobody.
func methods[T any](s any) (has []string) {
	for name, ok := range map[string]bool{
		"At": is[serde.Placer[T]](s), "DecodeRecord": is[serde.HeaderDecoder[T]](s), "AppendRecord": is[serde.HeaderAppender[T]](s),
		"Start": is[serde.Starter](s), "Check": is[serde.Checker](s), "AppendForm": is[serde.Formed](s), "Doubts": is[serde.Doubter](s),
		"Route": is[serde.Router](s), "ZeroIsNull": is[interface{ ZeroIsNull() bool }](s),
	} {
		if ok {
			has = append(has, name)
		}
	}
	slices.Sort(has)
	return has
}

func is[T any](s any) bool { _, ok := s.(T); return ok }

// always is what a serde around another one has, whatever that is.
var always = []string{"AppendForm", "At", "Check", "Doubts", "Start", "ZeroIsNull"}

// A surrounding is one of this package's serdes around another one.
type surrounding struct {
	name  string
	check func(t *testing.T)
}

// around checks what a serde hands on. without says what of the inner one's it does not, for
// a reason; own what it has by itself; of makes a value of a text.
func around[T any](name string, wrap func(serde.Serde[string]) serde.Serde[T], of func(string) T, without, own []string) surrounding {
	return surrounding{name, func(t *testing.T) {
		t.Helper()
		var asked []string
		inner := probe{asked: &asked}
		want := slices.DeleteFunc(methods[string](inner), func(m string) bool { return slices.Contains(without, m) })
		bare := slices.Sorted(slices.Values(slices.Concat(always, own)))
		if got := methods[T](wrap(inner)); !slices.Equal(got, want) {
			t.Fatalf("has %v, want %v", got, want)
		}
		if got := methods[T](wrap(plain{serde.String})); !slices.Equal(got, bare) {
			t.Errorf("around one that has nothing it has %v, want %v", got, bare)
		}
		place := serde.Place{Topic: "here", Part: serde.Value}
		outer := wrap(inner)
		if len(asked) > 0 {
			t.Errorf("when it was made it asked %v", asked)
		}
		placed := serde.At(serde.At(outer, serde.Place{Topic: "there"}), place)
		if got := methods[T](placed); !slices.Equal(got, want) {
			t.Fatalf("where it is used it has %v, want %v", got, want)
		}
		if err := serde.Start(t.Context(), serde.Writes, placed); !errors.Is(err, errProbe) || !slices.Equal(asked, []string{"start here 2"}) {
			t.Errorf("start: %v after %v", err, asked)
		}
		handsOnBytes(t, placed, of)
		if asked = nil; !slices.Contains(without, "AppendRecord") {
			handsOnHeaders(t, placed, of)
		}
		if len(asked) > 0 {
			t.Errorf("asked %v", asked)
		}
	}}
}

func handsOnBytes[T any](t *testing.T, s serde.Serde[T], of func(string) T) {
	t.Helper()
	for text, want := range map[string]struct{ bad, doubt bool }{"text": {}, "!text": {bad: true}, "?text": {doubt: true}} {
		src, err := s.Append(nil, of(text))
		if err != nil {
			t.Fatal(err)
		}
		form := s.(serde.Formed).AppendForm([]byte{}, src)
		for _, b := range [][]byte{src, form} {
			if err := s.(serde.Checker).Check(b); errors.Is(err, serde.ErrUnreadable) != want.bad {
				t.Errorf("%q, %q: Check: %v", text, b, err)
			}
		}
		if got := serde.Doubts(s, form); got != want.doubt {
			t.Errorf("%q: of the form %q there is a doubt: %v", text, form, got)
		}
		other, err := s.Append(nil, of(text+" of another length"))
		if err != nil || !bytes.Equal(s.(serde.Formed).AppendForm([]byte{}, other), form) {
			t.Errorf("%q: other values have other forms", text)
		}
	}
}

func handsOnHeaders[T any](t *testing.T, s serde.Serde[T], of func(string) T) {
	t.Helper()
	h := records{}
	b, err := s.(serde.HeaderAppender[T]).AppendRecord([]byte("."), of("text"), h)
	if err != nil || !bytes.HasPrefix(b, []byte(".text")) || string(h["mark"]) != "here" {
		t.Fatalf("%q with %q, %v", b, h, err)
	}
	v, err := s.(serde.HeaderDecoder[T]).DecodeRecord(b[1:], h)
	if err != nil || !reflect.DeepEqual(v, of("text")) || len(h) > 0 {
		t.Errorf("%v with %q, %v", v, h, err)
	}
}

// surroundings are all serdes of this package that are around another one.
func surroundings() []surrounding {
	windowed := func(text string) window.Windowed[string] {
		return window.Windowed[string]{Key: text, Span: window.Span{Start: 60_000, End: 120_000}}
	}
	keep := func(text string) (string, error) { return text, nil }
	return []surrounding{
		around("Pointer", serde.Pointer, func(text string) *string { return &text }, nil, nil),
		// Elements have no headers of their own, and a list goes where all of its bytes say.
		around("List", serde.List, func(text string) []string { return []string{text, text} }, []string{"AppendRecord", "DecodeRecord", "Route"}, nil),
		around("TimeWindowed", func(s serde.Serde[string]) serde.Serde[window.Windowed[string]] {
			return serde.TimeWindowed(s, time.Minute)
		}, windowed, nil, []string{"Route"}),
		around("SessionWindowed", serde.SessionWindowed, windowed, nil, []string{"Route"}),
		// It is for the values of stores, which have no headers and go nowhere.
		around("Versioned", func(s serde.Serde[string]) serde.Serde[string] { return serde.Versioned(1, s) }, func(text string) string { return text }, []string{"AppendRecord", "DecodeRecord", "Route"}, nil),
		around("Pointer around Pointer", func(s serde.Serde[string]) serde.Serde[**string] { return serde.Pointer(serde.Pointer(s)) }, func(text string) **string { p := &text; return &p }, nil, nil),
		around("List of Pointer", func(s serde.Serde[string]) serde.Serde[[]*string] { return serde.List(serde.Pointer(s)) }, func(text string) []*string { return []*string{&text} }, []string{"AppendRecord", "DecodeRecord", "Route"}, nil),
		around("migrated", func(s serde.Serde[string]) serde.Serde[string] {
			return serde.Versioned(2, s, serde.Migrate(1, serde.Serde[string](plain{serde.String}), keep))
		}, func(text string) string { return text }, []string{"AppendRecord", "DecodeRecord", "Route"}, nil),
	}
}

// Every serde around another one hands on what that one has, and has nothing that others
// would pay for.
func TestWrappersHandOn(t *testing.T) {
	t.Parallel()
	for _, s := range surroundings() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.check(t)
		})
	}
}

// Whoever adds a serde around another one, or a method that serdes may have, adds it here.
func TestWrappersAreAllChecked(t *testing.T) {
	t.Parallel()
	var checked []string
	for _, s := range surroundings() {
		checked = append(checked, s.name)
	}
	known := append(methods[string](probe{}), "Get", "Set", "Delete") // of headers
	known = append(known, "Append", "Decode", "Schema", "Reader", "ReadsAll")
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.IsExported() && f.Name.Name != "At" && takesSerde(f.Type.Params) && takesSerde(f.Type.Results) {
				if found++; !slices.Contains(checked, f.Name.Name) {
					t.Errorf("%s is around another serde, and surroundings has it not", f.Name.Name)
				}
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || !spec.Name.IsExported() {
				return true
			}
			if i, ok := spec.Type.(*ast.InterfaceType); ok {
				for _, m := range i.Methods.List {
					if found++; len(m.Names) == 1 && !slices.Contains(known, m.Names[0].Name) {
						t.Errorf("a serde may have %s.%s, and methods has it not", spec.Name.Name, m.Names[0].Name)
					}
				}
			}
			return true
		})
	}
	if found < 15 {
		t.Errorf("found %d", found)
	}
}

func takesSerde(fields *ast.FieldList) bool {
	return fields != nil && slices.ContainsFunc(fields.List, func(f *ast.Field) bool {
		i, ok := f.Type.(*ast.IndexExpr)
		if !ok {
			return false
		}
		name, ok := i.X.(*ast.Ident)
		return ok && name.Name == "Serde"
	})
}

// What a list is made of is told without decoding it: each form that there is once, a null
// where its elements may be null, and a list that is none as such.
func TestFormsOfLists(t *testing.T) {
	t.Parallel()
	inner := serde.Versioned(2, serde.Bytes, serde.Migrate(1, serde.String, func(s string) ([]byte, error) { return []byte(s), nil }))
	list := serde.List(inner)
	for _, c := range []struct {
		src, form string
		bad       bool
	}{
		{"\x01\x00\x00\x00\x00", "\x01\x00\x00\x00\x00", false},
		{"\x01\x00\x00\x00\x03\x00\x00\x00\x02\x02a\x00\x00\x00\x02\x01b\x00\x00\x00\x02\x02c", "\x01\x00\x00\x00\x02\x00\x00\x00\x01\x01\x00\x00\x00\x01\x02", false},
		{"\x01\x00\x00\x00\x02\x00\x00\x00\x02\x02a\x00\x00\x00\x02\x09b", "\x01\x00\x00\x00\x02\x00\x00\x00\x01\x02\x00\x00\x00\x01\x09", true},
		{"\x01\x00\x00\x00\x03\xff\xff\xff\xff\x00\x00\x00\x01\x02\xff\xff\xff\xff", "\x01\x00\x00\x00\x02\x00\x00\x00\x01\x02\xff\xff\xff\xff", false},
		{"\x01\x00\x00\x00\x02\x00\x00\x00\x02\x02a", "\x01", true},
		{"\x02", "\x02", true},
		{"", "", true},
	} {
		form := serde.AppendForm(list, []byte{}, []byte(c.src))
		if string(form) != c.form {
			t.Errorf("%q: %q", c.src, form)
		}
		for _, src := range []string{c.src, c.form} {
			if err := list.(serde.Checker).Check([]byte(src)); errors.Is(err, serde.ErrUnreadable) != c.bad {
				t.Errorf("%q: %v", src, err)
			}
			if serde.Doubts(list, []byte(src)) {
				t.Errorf("%q leaves a doubt", src)
			}
		}
	}
	null := []byte("\x01\x00\x00\x00\x01\xff\xff\xff\xff")
	if err := serde.List(serde.Versioned(1, serde.String)).(serde.Checker).Check(null); !errors.Is(err, serde.ErrUnreadable) {
		t.Errorf("a null among what is never null: %v", err)
	}
	for _, s := range []any{serde.List(serde.String), serde.List(serde.Pointer(serde.JSON[order]()))} {
		form := serde.AppendForm(s, nil, []byte("\x01\x00\x00\x00\x01\x00\x00\x00\x02{}"))
		if !serde.Doubts(s, form) {
			t.Errorf("%T: of %q there is no doubt", s, form)
		}
	}
	quiet := serde.Versioned(1, serde.List(serde.Pointer(serde.JSON[order]())))
	if form := serde.AppendForm(quiet, nil, []byte("\x01\x01\x00\x00\x00\x01\x00\x00\x00\x02{}")); serde.Doubts(quiet, form) {
		t.Errorf("who writes versions says by them which values are alike, and of %q there is a doubt", form)
	}
}
