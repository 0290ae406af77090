package serde_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"uuid"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/serde/serdetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("bool", func(t *testing.T) { serdetest.Run(t, serde.Bool, true, false) })
	t.Run("int16", func(t *testing.T) { serdetest.Run(t, serde.Int16, 0, -1, math.MinInt16, math.MaxInt16) })
	t.Run("int32", func(t *testing.T) { serdetest.Run(t, serde.Int32, 0, -1, math.MinInt32, math.MaxInt32) })
	t.Run("int64", func(t *testing.T) { serdetest.Run(t, serde.Int64, 0, -1, math.MinInt64, math.MaxInt64) })
	t.Run("float32", func(t *testing.T) { serdetest.Run(t, serde.Float32, 0, -1.5, float32(math.Inf(1))) })
	t.Run("float64", func(t *testing.T) { serdetest.Run(t, serde.Float64, 0, -1.5, math.Inf(-1), math.Pi) })
	t.Run("string", func(t *testing.T) { serdetest.Run(t, serde.String, "", "a", "\x00\xff", strings.Repeat("x", 300)) })
	t.Run("bytes", func(t *testing.T) { serdetest.Run(t, serde.Bytes, []byte{}, []byte{0}, []byte("abc")) })
	t.Run("uuid", func(t *testing.T) { serdetest.Run(t, serde.UUID, uuid.Nil(), uuid.Max(), uuid.New()) })
	t.Run("json", func(t *testing.T) {
		serdetest.Run(t, serde.JSON[order](), order{}, order{ID: "a", Lines: []line{{"x", 1}, {"y", 2}}})
	})
	t.Run("json pointer", func(t *testing.T) { serdetest.Run(t, serde.JSON[*order](), nil, &order{ID: "a"}) })
	t.Run("json map", func(t *testing.T) {
		serdetest.Run(t, serde.JSON[map[string]int](), map[string]int{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5})
	})
}

type order struct {
	ID    string
	Lines []line `json:",omitempty"`
}

type line struct {
	Article string
	Count   int
}

func TestDecodeError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"bool byte", decode(serde.Bool, "\x02"), "decode bool: want one byte, 0 or 1, got 1 bytes: the byte is 2"},
		{"bool length", decode(serde.Bool, "\x00\x00"), "decode bool: want one byte, 0 or 1, got 2 bytes"},
		{"int16", decode(serde.Int16, "a"), "decode int16: want 2 bytes, got 1 bytes"},
		{"int32", decode(serde.Int32, "abc"), "decode int32: want 4 bytes, got 3 bytes"},
		{"int64", decode(serde.Int64, "abcdefghi"), "decode int64: want 8 bytes, got 9 bytes"},
		{"float32", decode(serde.Float32, ""), "decode float32: want 4 bytes, got 0 bytes"},
		{"float64", decode(serde.Float64, "abcd"), "decode float64: want 8 bytes, got 4 bytes"},
		{"uuid length", decode(serde.UUID, "0-0-0-0-0"), "decode uuid.UUID: want 36 characters, got 9 bytes"},
		{"uuid text", decode(serde.UUID, strings.Repeat("x", 36)), "decode uuid.UUID: want 36 characters, got 36 bytes: "},
		{"json", decode(serde.JSON[order](), `{"ID":`), "decode serde_test.order: want JSON, got 6 bytes: "},
		{"json rest", decode(serde.JSON[int](), `1 2`), "decode int: want JSON, got 3 bytes: "},
	} {
		var typed *serde.DecodeError
		if !errors.As(c.err, &typed) || !strings.HasPrefix(c.err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.name, c.err, c.want)
		}
	}
}

func decode[T any](s serde.Serde[T], src string) error {
	_, err := s.Decode([]byte(src))
	return err
}

func TestJSONEncodeError(t *testing.T) {
	t.Parallel()
	dst := []byte("kept")
	out, err := serde.JSON[func()]().Append(dst, func() {})
	var typed *serde.EncodeError
	if !errors.As(err, &typed) || typed.Type != "func()" {
		t.Errorf("err = %v", err)
	}
	if string(out) != "kept" {
		t.Errorf("out = %q", out)
	}
}

func TestJSONSkipsUnknownMembers(t *testing.T) {
	t.Parallel()
	got, err := serde.JSON[line]().Decode([]byte(`{"Article":"x","Count":3,"Colour":"red"}`))
	if err != nil || got != (line{"x", 3}) {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestInference holds what the API rests on: the type parameter of a function
// that takes a Serde is inferred from a ready-made one.
func TestInference(t *testing.T) {
	t.Parallel()
	if name := typeName(serde.Int64); name != "int64" {
		t.Error(name)
	}
	if name := typeName(serde.JSON[order]()); name != "serde_test.order" {
		t.Error(name)
	}
}

func typeName[T any](serde.Serde[T]) string { return reflect.TypeFor[T]().String() }
