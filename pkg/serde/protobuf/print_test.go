package protobuf

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/apipb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/leatstream/leat/pkg/serde"
)

// What is printed, compiled and printed again is the same: of files of other people's,
// which have about everything that the language has.
func TestPrint(t *testing.T) {
	t.Parallel()
	const editions = `edition = "2023"; package e;
		option features.field_presence = IMPLICIT;
		message M { string a = 1 [features.field_presence = EXPLICIT]; M b = 2 [features.message_encoding = DELIMITED]; reserved c; extensions 100 to max; }
		extend M { repeated int32 x = 100 [features.repeated_field_encoding = EXPANDED]; }
		enum E { option allow_alias = true; A = 0; B = 0 [deprecated = true]; reserved 5 to 7, 9 to max; }`
	const old = `syntax = "proto2"; package p;
		message M { required string a = 1 [default = "x\"\001"]; optional double b = 2 [default = -inf]; optional bytes c = 3 [default = "\377"]; optional float n = 6 [default = nan];
		optional E e = 4 [default = B, json_name = "other"]; oneof o { int32 f = 5; } map<int32, M> g_h = 7; enum E { A = 1; B = 2; } repeated int32 p = 8 [packed = true]; }`
	files := []protoreflect.FileDescriptor{
		descriptorpb.File_google_protobuf_descriptor_proto, structpb.File_google_protobuf_struct_proto, anypb.File_google_protobuf_any_proto,
		apipb.File_google_protobuf_api_proto, pluginpb.File_google_protobuf_compiler_plugin_proto,
	}
	for _, text := range []string{editions, old} {
		f, err := compile(serde.Schema{Type: serde.ProtobufSchema, Text: text})
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	for _, f := range files {
		s := schemas{}.schema(f)
		again, err := compile(s)
		if err != nil {
			t.Errorf("%s: %v\n%s", f.Path(), err, s.Text)
			continue
		}
		if b := print(again); !bytes.Equal(b, print(f)) {
			t.Errorf("%s:\n%s\nbecomes\n%s", f.Path(), print(f), b)
		}
		for m := range declared(f.Messages()) {
			if n := at(again, indexOf(m)); n == nil || n.FullName() != m.FullName() {
				t.Errorf("%s is not at %v", m.FullName(), indexOf(m))
			} else if err := readable(n, m); err != nil {
				t.Errorf("%s cannot be read as itself: %v", m.FullName(), err)
			}
		}
	}
}

// A file with groups, which have no text, is a schema all the same.
func TestGroups(t *testing.T) {
	t.Parallel()
	f, err := compile(serde.Schema{Type: serde.ProtobufSchema, Text: `syntax = "proto2"; message M { optional group G = 1 { optional int32 a = 1; } }`})
	if err != nil {
		t.Fatal(err)
	}
	again, err := compile(schemas{}.schema(f))
	if err != nil {
		t.Fatal(err)
	}
	if err := readable(again.Messages().Get(0), f.Messages().Get(0)); err != nil {
		t.Error(err)
	}
}

// However many paths of imports lead to a file, it is printed once, and read once.
func TestImportsByManyPaths(t *testing.T) {
	t.Parallel()
	s := serde.Schema{Type: serde.ProtobufSchema, Text: `syntax = "proto3";`}
	for i := range 30 {
		left, right := fmt.Sprintf("l%d.proto", i), fmt.Sprintf("r%d.proto", i)
		s = serde.Schema{
			Type:       serde.ProtobufSchema,
			Text:       fmt.Sprintf(`syntax = "proto3"; import %q; import %q; message M%d {}`, left, right, i),
			References: []serde.Reference{{Name: left, Schema: s}, {Name: right, Schema: s}},
		}
		s.References[1].Schema.Text = strings.ReplaceAll(s.References[1].Schema.Text, " M", " N")
	}
	f, err := compile(s)
	if err != nil {
		t.Fatal(err)
	}
	made := schemas{}
	if s := made.schema(f); len(s.References) != 2 || len(made) != 61 {
		t.Errorf("%d references, %d files", len(s.References), len(made))
	}
}
