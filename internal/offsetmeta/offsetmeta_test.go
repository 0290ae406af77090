package offsetmeta

import (
	"maps"
	"os"
	"strconv"
	"strings"
	"testing"
)

// golden.txt was made by Kafka Streams itself: see testdata/java.
func TestGolden(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		want := Metadata{Times: map[string]int64{}}
		if want.PartitionTime, err = strconv.ParseInt(fields[0], 10, 64); err != nil {
			t.Fatal(err)
		}
		for _, pair := range strings.FieldsFunc(fields[1], func(r rune) bool { return r == ',' }) {
			name, at, _ := strings.Cut(pair, "=")
			want.Times[name], _ = strconv.ParseInt(at, 10, 64)
		}
		got, err := Decode(fields[2])
		if err != nil || got.PartitionTime != want.PartitionTime || !maps.Equal(got.Times, want.Times) {
			t.Errorf("Decode(%s) = %v, %v; want %v", fields[2], got, err, want)
		}
		if s := want.Encode(); s != fields[2] {
			t.Errorf("Encode(%v) = %s, want %s", want, s, fields[2])
		}
		n++
	}
	if n < 5 {
		t.Errorf("only %d lines", n)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("")
	f.Add("AgAAAAAAAAAA")
	f.Add(Metadata{PartitionTime: 7, Times: map[string]int64{"x": 1}}.Encode())
	f.Fuzz(func(t *testing.T, s string) {
		m, err := Decode(s)
		if err != nil {
			return
		}
		again, err := Decode(m.Encode())
		if err != nil || again.PartitionTime != m.PartitionTime || !maps.Equal(again.Times, m.Times) {
			t.Errorf("%q: %v, then %v, %v", s, m, again, err)
		}
	})
}
