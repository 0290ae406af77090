package registry

import (
	"bytes"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/leatstream/leat/pkg/serde"
)

// TestFrames holds the bytes that Confluent's clients write.
func TestFrames(t *testing.T) {
	t.Parallel()
	guid, err := frameOfGUID("89791762-2336-186f-9b6a-05ffd2c2a2d1", []int{1, 0})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		frame frame
		want  string
		name  string
		index []int
	}{
		{frameOfID(1, nil), "\x00\x00\x00\x00\x01", "id 1", nil},
		{frameOfID(100000, []int{0}), "\x00\x00\x01\x86\xa0\x00", "id 100000", []int{0}},
		{frameOfID(1, []int{1}), "\x00\x00\x00\x00\x01\x02\x02", "id 1", []int{1}},
		{frameOfID(1, []int{0, 64}), "\x00\x00\x00\x00\x01\x04\x00\x80\x01", "id 1", []int{0, 64}},
		{guid, "\x01\x89\x79\x17\x62\x23\x36\x18\x6f\x9b\x6a\x05\xff\xd2\xc2\xa2\xd1\x04\x02\x00", "guid 89791762-2336-186f-9b6a-05ffd2c2a2d1", []int{1, 0}},
	} {
		if string(c.frame) != c.want {
			t.Errorf("%q, want %q", c.frame, c.want)
		}
		kind := serde.AvroSchema
		if c.index != nil {
			kind = serde.ProtobufSchema
		}
		f, rest, err := cut([]byte(c.want+"rest"), kind)
		if err != nil || !bytes.Equal(f, c.frame) || string(rest) != "rest" || f.name() != c.name || !slices.Equal(f.index(), c.index) {
			t.Errorf("%q: %q %q %v", c.want, f, rest, err)
		}
	}
	if _, err := frameOfGUID("1", nil); err == nil {
		t.Error("1 is a GUID")
	}
}

// FuzzCut cuts as franz-go does, and never more than there is.
func FuzzCut(f *testing.F) {
	for _, seed := range []string{"", "\x00\x00\x00\x00\x01", "\x00\x00\x00\x00\x01\x04\x00\x02x", "\x01456789abcdef0123456\x00", "\x00\x00\x00\x00\x01\xfe\xff\xff\xff\x0f"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		var twin sr.ConfluentHeader
		for _, kind := range []serde.SchemaType{serde.AvroSchema, serde.ProtobufSchema} {
			got, rest, err := cut(src, kind)
			if err != nil {
				continue
			}
			if !bytes.Equal(append(slices.Clone(got), rest...), src) {
				t.Fatalf("%q is cut into %q and %q", src, got, rest)
			}
			if got.name() == "" || got[0] != magicID {
				continue
			}
			id, more, err := twin.DecodeID(src)
			if err != nil || uint32(id) != uint32(got.id()) {
				t.Fatalf("%q: id %d, %d, %v", src, got.id(), id, err)
			}
			if kind == serde.ProtobufSchema {
				index, after, err := twin.DecodeIndex(more, 0)
				if err != nil || !slices.Equal(index, got.index()) || !bytes.Equal(after, rest) {
					t.Fatalf("%q: index %v, %v, %v", src, got.index(), index, err)
				}
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	r := forgotten(f)
	for _, seed := range []string{"", "\x00\x00\x00\x00\x01x", "\x00\x00\x00\x00\x02x", "\x01\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		_, _ = r.(serde.HeaderDecoder[string]).DecodeRecord(src, records{headerNames[serde.Value]: src})
		whole, part := r.(serde.Checker).Check(src), r.(serde.Checker).Check(serde.AppendForm(r, nil, src))
		if (whole == nil) != (part == nil) {
			t.Fatalf("%q: %v, and of its form: %v", src, whole, part)
		}
		if v, err := r.Decode(src); err == nil {
			if b, err := r.Append(nil, v); err != nil || !bytes.Equal(b, src) {
				t.Fatalf("%q becomes %q, %v", src, b, err)
			}
		}
	})
}

// forgotten is a serde whose registry is gone: it knows one schema, and all others are
// unavailable at once.
func forgotten(f *testing.F) serde.Serde[string] {
	c, err := New(Config{URLs: []string{"http://127.0.0.1:1"}})
	if err != nil {
		f.Fatal(err)
	}
	c.Close()
	a := text{field: "a"}
	c.mu.schemas[string(frameOfID(1, nil))] = a.Schema()
	s := serde.At(c.Serde(a, Options{}), inValue).(*placed[string])
	s.writes.Store(&writing{prefix: frameOfID(1, nil)})
	return s
}
