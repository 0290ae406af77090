package member

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"github.com/leatstream/leat/internal/assign"
)

// The formats as they are on the wire. A change here is a change of the protocol.
func TestDataGolden(t *testing.T) {
	t.Parallel()
	member := memberData{
		fingerprint: "fp", self: Fence{"host-1", 300},
		tags: map[string]string{"zone": "b", "rack": "7"}, held: map[assign.Task]int64{{Sub: 1, Partition: 2}: 1 << 40, {Sub: 0, Partition: 3}: 0},
		weights: map[assign.Task]int64{{Sub: 1, Partition: 2}: 640},
	}
	expect(t, "member's", hex.EncodeToString(member.encode(dataVersion)),
		"04"+"026670"+"06686f73742d31"+"ac02"+
			"02"+"047261636b"+"0137"+"047a6f6e65"+"0162"+
			"02"+"0003"+"00"+"0102"+"808080808020"+
			"01"+"0102"+"8005")
	got, err := decodeMember(member.encode(dataVersion), dataVersion)
	if err != nil || !reflect.DeepEqual(got, member) {
		t.Errorf("came back as %+v, %v", got, err)
	}

	a := assignmentData{
		fingerprint: "fp", again: true,
		roster:  roster{living: []Fence{{"a", 1}, {"b", 2}}, departed: []departed{{Fence{"c", 3}, 2}}},
		standby: []assign.Task{{Sub: 1, Partition: 200}, {Sub: 2, Partition: 0}}, warming: []assign.Task{{Sub: 2, Partition: 0}}, shape: []string{"sub "},
		weights: map[assign.Task]int64{{Sub: 2, Partition: 0}: 7},
	}
	expect(t, "assignment's", hex.EncodeToString(a.encode(dataVersion)),
		"04"+"026670"+"01"+"02"+"016101"+"016202"+"01"+"01630302"+"02"+"01c801"+"0200"+"01"+"0200"+"01"+"0473756220"+"01"+"0200"+"07")
	back, err := decodeAssignment(a.encode(dataVersion), dataVersion)
	if err != nil || !reflect.DeepEqual(back, a) {
		t.Errorf("came back as %+v, %v", back, err)
	}
}

// What a member of the first version sends is read as that of one which has no state
// and no tags.
func TestOlderDataIsRead(t *testing.T) {
	t.Parallel()
	b, _ := hex.DecodeString("01" + "026670" + "06686f73742d31" + "ac02")
	got, err := decodeMember(b, dataVersion)
	if want := (memberData{fingerprint: "fp", self: Fence{"host-1", 300}}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	b, _ = hex.DecodeString("01" + "026670" + "01" + "01" + "016101" + "00")
	back, err := decodeAssignment(b, dataVersion)
	if want := (assignmentData{fingerprint: "fp", again: true, roster: roster{living: []Fence{{"a", 1}}}}); err != nil || !reflect.DeepEqual(back, want) {
		t.Errorf("%+v, %v", back, err)
	}
}

func TestNewerDataIsRead(t *testing.T) {
	t.Parallel()
	want := memberData{fingerprint: "fp", self: Fence{"host-1", 300}}
	b := append(want.encode(dataVersion), "fields of a later version"...)
	b[0]++
	got, err := decodeMember(b, dataVersion)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestGarbageIsRefused(t *testing.T) {
	t.Parallel()
	good := assignmentData{fingerprint: "fp", roster: roster{living: []Fence{{"a", 1}}}}.encode(dataVersion)
	for name, b := range map[string][]byte{
		"ends too early":   good[:len(good)-1],
		"version 0":        append([]byte{0}, good[1:]...),
		"bytes follow":     append(good[:len(good):len(good)], 7),
		"is too large":     {1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"it ends too":      {},
		"user data: a num": {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	} {
		if _, err := decodeAssignment(b, dataVersion); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%x: got error %v, want one with %q", b, err, name)
		}
	}
}

func FuzzMemberData(f *testing.F) {
	f.Add(memberData{fingerprint: "fp", self: Fence{"host-1", 300}}.encode(dataVersion))
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := decodeMember(b, dataVersion); err == nil {
			if back, err := decodeMember(d.encode(dataVersion), dataVersion); err != nil || !reflect.DeepEqual(back, d) {
				t.Errorf("%+v came back as %+v, %v", d, back, err)
			}
		}
	})
}

func FuzzAssignmentData(f *testing.F) {
	f.Add(assignmentData{fingerprint: "fp", again: true, roster: roster{[]Fence{{"a", 1}}, []departed{{Fence{"c", 3}, 2}}}, standby: []assign.Task{{}}}.encode(dataVersion))
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := decodeAssignment(b, dataVersion); err == nil {
			if back, err := decodeAssignment(d.encode(dataVersion), dataVersion); err != nil || !reflect.DeepEqual(back, d) {
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
