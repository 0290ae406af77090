package avro_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"
	"uuid"

	"github.com/leatstream/leat/pkg/serde/avro"
)

// testdata/java says how the golden files are made.

// TestResolution compares with what Avro's Java library reads, for each pair of schemas
// of its rules and some hundred random ones.
func TestResolution(t *testing.T) {
	t.Parallel()
	agreed := 0
	for c := range lines[resolution](t, "resolution.jsonl") {
		if c.check(t) {
			agreed++
		}
	}
	t.Logf("%d agree with Java", agreed)
	if agreed < 560 {
		t.Error("that is too few")
	}
}

type resolution struct {
	Name       string         `json:"name"`
	Writer     jsontext.Value `json:"writer"`
	Reader     jsontext.Value `json:"reader"`
	Bytes      string         `json:"bytes"`
	Compatible bool           `json:"compatible"`
	Read       *string        `json:"read"`
	Error      string         `json:"error"`
}

// The reasons are told in docs/decisions/0030-avro.md.
const (
	names     = "Java does not compare the names of records when it reads, but for a union's branches"
	structure = "Java reads a record as any branch of a union that has its fields"
	shortcut  = "Java takes two unions for the same if they are but for namespaces"
	lazy      = "Java does not miss the type of items that are not there"
	size      = "Java holds the number of items against the least size of the reader's type, not the writer's"
	aliases   = "Java applies the aliases of fields only where the full names of the records are the same"
)

// deviations are the cases in which we do otherwise than Java.
var deviations = map[string]string{
	"array promoted":                         size,
	"tree":                                   size,
	"record other name":                      names,
	"union record same structure other name": structure,
	"union full name first":                  shortcut,
	"array mismatch, empty":                  lazy,
	"random 28":                              names,
	"random 53":                              names,
	"random 62":                              names,
	"random 68":                              names,
	"random 82":                              structure,
	"random 86":                              names,
	"random 89":                              names,
	"random 110":                             structure,
	"random 187":                             aliases,
	"random 218":                             names,
	"random 254":                             names,
	"random 257":                             aliases,
	"random 261":                             aliases,
	"random 313":                             aliases,
	"random 328":                             aliases,
	"random 330":                             names,
	"random 366":                             aliases,
	"random 375":                             aliases,
	"random 389":                             structure,
}

func (c *resolution) check(t *testing.T) bool {
	t.Helper()
	writer, err := avro.Parse(string(c.Writer))
	if err != nil {
		t.Errorf("%s: %v", c.Name, err)
		return false
	}
	reader, err := avro.Parse(string(c.Reader))
	if err != nil {
		t.Errorf("%s: %v", c.Name, err)
		return false
	}
	src, _ := hex.DecodeString(c.Bytes)
	got, err := reread(writer, string(c.Reader), src)
	differences := avro.Compatible(writer, reader)
	want := ""
	if c.Read != nil {
		want = *c.Read
	}
	same := (err == nil) == (c.Read != nil) && got == want && (len(differences) == 0) == c.Compatible
	if why := deviations[c.Name]; (why == "") != same {
		t.Errorf("%s: %q\n\twriter %s\n\treader %s\n\tbytes %s\n\tgot %q %v %v\n\twant %q %s %v",
			c.Name, why, c.Writer, c.Reader, c.Bytes, got, err, differences, want, c.Error, c.Compatible)
	}
	return same
}

// reread reads src and writes it again by the reader's schema.
func reread(writer *avro.Schema, reader string, src []byte) (string, error) {
	codec := avro.Generic(reader)
	read, err := codec.Reader(writer.Form())
	if err != nil {
		return "", err
	}
	v, err := read(src)
	if err != nil {
		return "", err
	}
	out, err := codec.Append(nil, v)
	if err != nil {
		return "", fmt.Errorf("%v does not encode: %w", v, err)
	}
	return hex.EncodeToString(out), nil
}

// TestCanonical compares the parsing canonical form and its fingerprint with Java's.
func TestCanonical(t *testing.T) {
	t.Parallel()
	type line struct {
		Schema      string `json:"schema"`
		Canonical   string `json:"canonical"`
		Fingerprint string `json:"fingerprint"`
	}
	for l := range lines[line](t, "canonical.jsonl") {
		s, err := avro.Parse(l.Schema)
		if err != nil {
			t.Errorf("%s: %v", l.Schema, err)
			continue
		}
		if fp := fmt.Sprintf("%016x", s.Fingerprint()); s.Canonical() != l.Canonical || fp != l.Fingerprint {
			t.Errorf("%s:\ngot  %s %s\nwant %s %s", l.Schema, s.Canonical(), fp, l.Canonical, l.Fingerprint)
		}
	}
}

// TestLogicalTypes compares with the bytes of Java's conversions, both ways, for the
// generic codec and for that of the Go type.
func TestLogicalTypes(t *testing.T) {
	t.Parallel()
	type line struct {
		Schema jsontext.Value `json:"schema"`
		Text   string         `json:"text"`
		Bytes  string         `json:"bytes"`
	}
	for l := range lines[line](t, "logical.jsonl") {
		schema := string(l.Schema)
		want, _ := hex.DecodeString(l.Bytes)
		v, err := avro.Generic(schema).Decode(want)
		if err != nil {
			t.Errorf("%s %s: %v", schema, l.Text, err)
			continue
		}
		switch v := v.(type) {
		case *big.Rat:
			check(t, avro.Of[*big.Rat](schema), v, want, l.Text, v.FloatString(2))
		case uuid.UUID:
			check(t, avro.Of[uuid.UUID](schema), v, want, l.Text, v.String())
		case avro.Duration:
			check(t, avro.Of[avro.Duration](schema), v, want, l.Text, fmt.Sprint(v.Months, v.Days, v.Millis))
		case time.Duration:
			check(t, avro.Of[time.Duration](schema), v, want, l.Text, javaTime("15:04:05", time.Time{}.Add(v)))
		case time.Time:
			layout, zone := "2006-01-02T15:04:05", "Z"
			if strings.Contains(schema, `"local-`) {
				zone = ""
			}
			text := javaTime(layout, v) + zone
			if strings.Contains(schema, `"date"`) {
				text = v.Format(time.DateOnly)
			}
			check(t, avro.Of[time.Time](schema), v, want, l.Text, text)
		default:
			t.Errorf("%s %s is a %T", schema, l.Text, v)
		}
	}
}

// javaTime formats as Java does, with fractions in groups of three digits.
func javaTime(layout string, v time.Time) string {
	s := v.Format(layout)
	for _, unit := range []time.Duration{time.Millisecond, time.Microsecond, time.Nanosecond} {
		if ns := time.Duration(v.Nanosecond()); ns > 0 && ns%unit == 0 {
			return s + "." + fmt.Sprintf("%09d", ns)[:map[time.Duration]int{1: 9, 1000: 6, 1000000: 3}[unit]]
		}
	}
	return s
}

func check[T any](t *testing.T, codec *avro.Codec[T], v T, want []byte, wantText, text string) {
	t.Helper()
	if n := len(wantText); n > 4 && wantText[n-3] == ':' && strings.Count(wantText, ":") == 1 {
		wantText += ":00" // Java leaves out seconds that are none
	}
	if text != wantText {
		t.Errorf("%x decodes to %s; in Java to %s", want, text, wantText)
	}
	got, err := codec.Append(nil, v)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s encodes to %x, %v; in Java to %x", text, got, err, want)
	}
	back, err := codec.Decode(want)
	if err != nil || fmt.Sprint(back) != fmt.Sprint(v) {
		t.Errorf("%x decodes to %v, %v; want %v", want, back, err, v)
	}
	generic, err := avro.Generic(codec.Schema().Text).Append(nil, v)
	if err != nil || !bytes.Equal(generic, want) {
		t.Errorf("%s encodes to %x, %v by the generic codec", text, generic, err)
	}
}

func lines[T any](t testing.TB, name string) func(yield func(T) bool) {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(T) bool) {
		defer f.Close()
		s := bufio.NewScanner(f)
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			var v T
			if err := json.Unmarshal(s.Bytes(), &v); err != nil {
				t.Fatal(err)
			}
			if !yield(v) {
				return
			}
		}
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
	}
}
