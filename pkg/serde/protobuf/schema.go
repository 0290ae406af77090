package protobuf

import (
	"encoding/base64"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/leatstream/leat/pkg/serde"
)

// schemaOf is the schema of the file that a message is in.
func schemaOf(m protoreflect.MessageDescriptor) serde.Schema {
	s := schemas{}.schema(m.ParentFile())
	s.Name, s.Index = string(m.FullName()), indexOf(m)
	return s
}

// schemas are those of files, by path: many may import the same one, by more paths than
// anybody can go.
type schemas map[string]serde.Schema

func (ss schemas) schema(f protoreflect.FileDescriptor) serde.Schema {
	s, ok := ss[f.Path()]
	if ok {
		return s
	}
	s = serde.Schema{Type: serde.ProtobufSchema, Name: f.Path(), Text: string(print(f))}
	if hasGroups(f.Messages()) { // which have no text of their own
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(protodesc.ToFileDescriptorProto(f))
		if err == nil {
			s.Text = base64.StdEncoding.EncodeToString(b)
		}
	}
	for i := range f.Imports().Len() {
		imp := f.Imports().Get(i)
		if !standard(imp.Path()) {
			s.References = append(s.References, serde.Reference{Name: imp.Path(), Schema: ss.schema(imp.FileDescriptor)})
		}
	}
	ss[f.Path()] = s
	return s
}

// standard reports whether everybody has the file at path.
func standard(path string) bool { return strings.HasPrefix(path, "google/protobuf/") }

func hasGroups(ms protoreflect.MessageDescriptors) bool {
	for m := range all(ms) {
		for f := range all(m.Fields()) {
			if f.Kind() == protoreflect.GroupKind && f.ParentFile().Syntax() == protoreflect.Proto2 {
				return true
			}
		}
		if hasGroups(m.Messages()) {
			return true
		}
	}
	return false
}

// indexOf is where a message is: its place among those of its file, then among those in
// the message around it. The entries of maps, which Go counts as messages and Java does
// not, are none.
func indexOf(m protoreflect.MessageDescriptor) (index []int) {
	for d := protoreflect.Descriptor(m); ; {
		parent := d.Parent()
		holder, ok := parent.(interface {
			Messages() protoreflect.MessageDescriptors
		})
		if !ok {
			return index
		}
		i := 0
		for sibling := range declared(holder.Messages()) {
			if sibling.Name() == d.Name() {
				break
			}
			i++
		}
		index = slices.Insert(index, 0, i)
		if _, ok := parent.(protoreflect.MessageDescriptor); !ok {
			return index
		}
		d = parent
	}
}

// at is the inverse of indexOf; nil if there is no such message.
func at(f protoreflect.FileDescriptor, index []int) protoreflect.MessageDescriptor {
	var found protoreflect.MessageDescriptor
	messages := f.Messages()
	for _, i := range index {
		list := slices.Collect(declared(messages))
		if i < 0 || i >= len(list) {
			return nil
		}
		found = list[i]
		messages = found.Messages()
	}
	return found
}

// declared are the messages that somebody wrote.
func declared(ms protoreflect.MessageDescriptors) func(yield func(protoreflect.MessageDescriptor) bool) {
	return func(yield func(protoreflect.MessageDescriptor) bool) {
		for m := range all(ms) {
			if !m.IsMapEntry() && !yield(m) {
				return
			}
		}
	}
}

// all ranges over one of the lists that descriptors have.
func all[D any](list interface {
	Len() int
	Get(int) D
}) func(yield func(D) bool) {
	return func(yield func(D) bool) {
		for i := range list.Len() {
			if !yield(list.Get(i)) {
				return
			}
		}
	}
}
