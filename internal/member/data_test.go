package member

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
)

// The formats as they are on the wire. A change here is a change of the protocol.
func TestDataGolden(t *testing.T) {
	t.Parallel()
	member := memberData{"fp", Fence{"host-1", 300}}
	expect(t, "member's", hex.EncodeToString(member.encode()),
		"01"+"026670"+"06686f73742d31"+"ac02")
	got, err := decodeMember(member.encode())
	if err != nil || got != member {
		t.Errorf("came back as %+v, %v", got, err)
	}

	a := assignmentData{
		fingerprint: "fp", owed: true,
		roster: roster{living: []Fence{{"a", 1}, {"b", 2}}, departed: []departed{{Fence{"c", 3}, 2}}},
	}
	expect(t, "assignment's", hex.EncodeToString(a.encode()),
		"01"+"026670"+"01"+"02"+"016101"+"016202"+"01"+"01630302")
	back, err := decodeAssignment(a.encode())
	if err != nil || !reflect.DeepEqual(back, a) {
		t.Errorf("came back as %+v, %v", back, err)
	}
}

func TestNewerDataIsRead(t *testing.T) {
	t.Parallel()
	want := memberData{"fp", Fence{"host-1", 300}}
	b := append(want.encode(), "fields of a later version"...)
	b[0]++
	got, err := decodeMember(b)
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestGarbageIsRefused(t *testing.T) {
	t.Parallel()
	good := assignmentData{fingerprint: "fp", roster: roster{living: []Fence{{"a", 1}}}}.encode()
	for name, b := range map[string][]byte{
		"ends too early":   good[:len(good)-1],
		"version 0":        append([]byte{0}, good[1:]...),
		"bytes follow":     append(good[:len(good):len(good)], 7),
		"is too large":     {1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"it ends too":      {},
		"user data: a num": {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	} {
		if _, err := decodeAssignment(b); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%x: got error %v, want one with %q", b, err, name)
		}
	}
}

func FuzzMemberData(f *testing.F) {
	f.Add(memberData{"fp", Fence{"host-1", 300}}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := decodeMember(b); err == nil {
			if back, err := decodeMember(d.encode()); err != nil || back != d {
				t.Errorf("%+v came back as %+v, %v", d, back, err)
			}
		}
	})
}

func FuzzAssignmentData(f *testing.F) {
	f.Add(assignmentData{"fp", true, roster{[]Fence{{"a", 1}}, []departed{{Fence{"c", 3}, 2}}}}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := decodeAssignment(b); err == nil {
			if back, err := decodeAssignment(d.encode()); err != nil || !reflect.DeepEqual(back, d) {
				t.Errorf("%+v came back as %+v, %v", d, back, err)
			}
		}
	})
}

func TestRoster(t *testing.T) {
	t.Parallel()
	fences := func(names string) (out []Fence) {
		for _, name := range strings.Fields(names) {
			out = append(out, Fence{name, 1})
		}
		return out
	}
	var r roster
	for _, step := range []struct{ living, departed string }{
		{"b a", ""},
		{"a", "b:1"},
		{"a c", "b:2"},
		{"a", "b:3 c:1"},
		{"a c", ""},
		{"d", "a:1 c:1"},
		{"d a", "c:2"},
	} {
		r = r.next(fences(step.living))
		var got []string
		for _, d := range r.departed {
			got = append(got, d.Instance+":"+string(rune('0'+d.age)))
		}
		expect(t, "after "+step.living, strings.Join(got, " "), step.departed)
	}
	r = r.next([]Fence{{"a", 2}, {"a", 5}, {"a", 3}})
	if !reflect.DeepEqual(r.living, []Fence{{"a", 5}}) {
		t.Errorf("an instance that is there three times: %v", r.living)
	}
}
