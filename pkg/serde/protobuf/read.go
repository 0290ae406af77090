package protobuf

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/leatstream/leat/pkg/serde"
)

// root is the path of the file that is compiled; its references have theirs, which are
// files' names.
const root = "this schema"

// compile makes a file of a schema.
func compile(s serde.Schema) (protoreflect.FileDescriptor, error) {
	if s.Type != serde.ProtobufSchema {
		return nil, fmt.Errorf("it is a schema of %v, and not of Protobuf", s.Type)
	}
	sources := map[string]protocompile.SearchResult{}
	if err := gather(sources, root, s); err != nil {
		return nil, err
	}
	compiler := protocompile.Compiler{MaxParallelism: 1, Resolver: protocompile.WithStandardImports(protocompile.ResolverFunc(
		func(path string) (protocompile.SearchResult, error) {
			if found, ok := sources[path]; ok {
				if text, ok := found.Source.(text); ok {
					found.Source = strings.NewReader(string(text))
				}
				return found, nil
			}
			return protocompile.SearchResult{}, fmt.Errorf("%q is imported, and is none of the references", path)
		}))}
	files, err := compiler.Compile(context.Background(), root)
	if err != nil {
		return nil, err
	}
	return files[0], nil
}

// text is a source that can be read more than once.
type text string

func (text) Read([]byte) (int, error) { return 0, io.EOF }

// gather finds the files of a schema: as text, or as registries also have them, a
// serialized descriptor in base 64.
func gather(sources map[string]protocompile.SearchResult, path string, s serde.Schema) error {
	if _, seen := sources[path]; seen {
		return nil
	}
	sources[path] = protocompile.SearchResult{Source: text(s.Text)}
	if b, err := base64.StdEncoding.DecodeString(s.Text); err == nil {
		var d descriptorpb.FileDescriptorProto
		if err := proto.Unmarshal(b, &d); err != nil {
			return err
		}
		d.Name = &path
		sources[path] = protocompile.SearchResult{Proto: &d}
	}
	for _, r := range s.References {
		if err := gather(sources, r.Name, r.Schema); err != nil {
			return err
		}
	}
	return nil
}

// find returns the message of w that is written, which must be called name.
func find(w serde.Schema, name protoreflect.FullName) (protoreflect.MessageDescriptor, error) {
	file, err := compile(w)
	if err != nil {
		return nil, err
	}
	if w.Index == nil {
		if m := messageNamed(file, name); m != nil {
			return m, nil
		}
		return nil, fmt.Errorf("it has no message %s", name)
	}
	m := at(file, w.Index)
	if m == nil {
		return nil, fmt.Errorf("it has no message at %v", w.Index)
	}
	if m.FullName() != name {
		return nil, fmt.Errorf("the message is %s, and this service reads %s", m.FullName(), name)
	}
	return m, nil
}

func messageNamed(f protoreflect.FileDescriptor, name protoreflect.FullName) protoreflect.MessageDescriptor {
	rel, ok := strings.CutPrefix(string(name), string(f.Package()))
	if !ok {
		return nil
	}
	messages := f.Messages()
	var found protoreflect.MessageDescriptor
	for part := range strings.SplitSeq(strings.TrimPrefix(rel, "."), ".") {
		if found = messages.ByName(protoreflect.Name(part)); found == nil {
			return nil
		}
		messages = found.Messages()
	}
	return found
}

// readable returns why a message that was written as theirs cannot be read as ours: all
// reasons.
func readable(theirs, ours protoreflect.MessageDescriptor) error {
	return errors.Join(compare(theirs, ours).errs...)
}

func compare(theirs, ours protoreflect.MessageDescriptor) comparison {
	c := comparison{seen: map[[2]protoreflect.FullName]bool{}}
	c.message(theirs, ours)
	return c
}

type comparison struct {
	seen   map[[2]protoreflect.FullName]bool // messages may hold themselves
	errs   []error
	partly bool // some messages cannot be read, by what their values are
}

func (c *comparison) message(theirs, ours protoreflect.MessageDescriptor) {
	pair := [2]protoreflect.FullName{theirs.FullName(), ours.FullName()}
	if c.seen[pair] {
		return
	}
	c.seen[pair] = true
	for f := range all(ours.Fields()) {
		w := theirs.Fields().ByNumber(f.Number())
		switch {
		case w == nil && f.Cardinality() == protoreflect.Required:
			c.fail(f, "is required, and is not written")
		case w == nil:
		case w.IsList() && !f.IsList():
			c.fail(f, "is one value, and several are written")
		case w.IsMap() != f.IsMap():
			c.fail(f, "is %s, and %s is written", typeOf(f), typeOf(w))
		case wireType(f.Kind()) != wireType(w.Kind()):
			c.fail(f, "is %s, and %s is written", typeOf(f), typeOf(w))
		case f.Kind() == protoreflect.StringKind && w.Kind() == protoreflect.BytesKind:
			c.partly = true // they need not be UTF-8
		case f.Message() != nil && w.Message() != nil:
			c.message(w.Message(), f.Message())
		}
	}
}

func (c *comparison) fail(f protoreflect.FieldDescriptor, format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf("field %s (%d) of %s %s", f.Name(), f.Number(), f.Parent().FullName(), fmt.Sprintf(format, args...)))
}

// wireType groups the types whose bytes mean the same in each of them, as far as they
// fit.
func wireType(k protoreflect.Kind) string {
	switch k {
	case protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.BoolKind, protoreflect.EnumKind:
		return "varint"
	case protoreflect.Sint32Kind, protoreflect.Sint64Kind:
		return "zigzag"
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind:
		return "fixed32"
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		return "fixed64"
	case protoreflect.StringKind, protoreflect.BytesKind:
		return "bytes"
	}
	return k.String() // floats, and messages in either of their two encodings
}
