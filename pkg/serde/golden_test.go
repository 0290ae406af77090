package serde_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json/v2"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"uuid"

	"github.com/leatstream/leat/pkg/serde"
)

// TestGolden compares with the bytes that Kafka's Java serdes write, in both
// directions. testdata/java says how the file is made.
func TestGolden(t *testing.T) {
	t.Parallel()
	check := map[string]func(t *testing.T, text string, golden []byte){
		"bool":    golden(serde.Bool, strconv.ParseBool),
		"int16":   golden(serde.Int16, parseInt[int16](16)),
		"int32":   golden(serde.Int32, parseInt[int32](32)),
		"int64":   golden(serde.Int64, parseInt[int64](64)),
		"float32": golden(serde.Float32, parseFloat[float32](32)),
		"float64": golden(serde.Float64, parseFloat[float64](64)),
		"string":  golden(serde.String, unquote),
		"bytes":   golden(serde.Bytes, unhex),
		"uuid":    golden(serde.UUID, uuid.Parse),

		"list:int16":   goldenList(serde.Int16),
		"list:int32":   goldenList(serde.Int32),
		"list:int64":   goldenList(serde.Int64),
		"list:float64": goldenList(serde.Float64),
		"list:uuid":    goldenList(serde.UUID),
		"list:bool":    goldenList(serde.Bool),
		"list:string":  goldenList(serde.String),
	}
	lines := 0
	for line := range goldenLines(t) {
		f := strings.Fields(line)
		if len(f) != 3 || check[f[0]] == nil {
			t.Fatalf("bad line %q", line)
		}
		want, err := unhex(f[2])
		if err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		check[f[0]](t, f[1], want)
		lines++
	}
	if lines < 50 {
		t.Errorf("only %d golden lines", lines)
	}
}

func golden[T any](s serde.Serde[T], parse func(string) (T, error)) func(*testing.T, string, []byte) {
	return func(t *testing.T, text string, want []byte) {
		t.Helper()
		v, err := parse(text)
		if err != nil {
			t.Fatalf("parse %q: %v", text, err)
		}
		got, err := s.Append(nil, v)
		if err != nil || got == nil || !bytes.Equal(got, want) {
			t.Errorf("Append(%T %s) = %x, %v; Java writes %x", v, text, got, err, want)
		}
		back, err := s.Decode(want)
		if err != nil || !same(back, v) {
			t.Errorf("Decode(%x) = %v, %v; Java reads %T %s", want, back, err, v, text)
		}
	}
}

// goldenList reads lists, with null elements and, where there are none, without.
func goldenList[T any](s serde.Serde[T]) func(*testing.T, string, []byte) {
	return func(t *testing.T, text string, want []byte) {
		t.Helper()
		golden(serde.List(serde.Pointer(s)), parseJSON[[]*T])(t, text, want)
		plain := serde.List(s)
		if !strings.Contains(text, "null") {
			golden(plain, parseJSON[[]T])(t, text, want)
		} else if v, err := plain.Decode(want); err == nil {
			t.Errorf("Decode(%x) = %v, which has no place for a null", want, v)
		}
	}
}

func parseJSON[T any](text string) (v T, err error) {
	err = json.Unmarshal([]byte(text), &v)
	return v, err
}

// same compares by the text of %v, which tells 0 from -0 and takes a NaN for a
// NaN.
func same[T any](a, b T) bool { return fmt.Sprint(a) == fmt.Sprint(b) || reflect.DeepEqual(a, b) }

func goldenLines(t *testing.T) func(yield func(string) bool) {
	f, err := os.Open("testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(string) bool) {
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			if strings.HasPrefix(s.Text(), "#") {
				continue
			}
			if !yield(s.Text()) {
				return
			}
		}
	}
}

func parseInt[T int16 | int32 | int64](bits int) func(string) (T, error) {
	return func(s string) (T, error) {
		n, err := strconv.ParseInt(s, 10, bits)
		return T(n), err
	}
}

func parseFloat[T float32 | float64](bits int) func(string) (T, error) {
	return func(s string) (T, error) {
		f, err := strconv.ParseFloat(s, bits)
		return T(f), err
	}
}

func unquote(s string) (v string, err error) {
	err = json.Unmarshal([]byte(s), &v)
	return v, err
}

func unhex(s string) ([]byte, error) {
	if s == "-" {
		return []byte{}, nil
	}
	return hex.DecodeString(s)
}
