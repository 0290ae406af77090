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
	t.Run("json strict", func(t *testing.T) { serdetest.Run(t, serde.JSON[order](serde.Strict), order{ID: "a"}) })
	t.Run("list", func(t *testing.T) { serdetest.Run(t, serde.List(serde.Int32), []int32{}, []int32{1, -1}) })
	t.Run("list of strings", func(t *testing.T) { serdetest.Run(t, serde.List(serde.String), []string{}, []string{"", "a"}) })
	t.Run("list of bytes", func(t *testing.T) { serdetest.Run(t, serde.List(serde.Bytes), [][]byte{}, [][]byte{nil, {}, {1}}) })
	t.Run("list of lists", func(t *testing.T) {
		serdetest.Run(t, serde.List(serde.List(serde.Int64)), [][]int64{}, [][]int64{nil, {}, {1, 2}})
	})
	t.Run("pointer", func(t *testing.T) { serdetest.Run(t, serde.Pointer(serde.Int64), new(int64(7))) })
	t.Run("versioned", func(t *testing.T) {
		serdetest.Run(t, serde.Versioned(300, serde.JSON[order]()), order{}, order{ID: "a"})
	})
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

func TestNulls(t *testing.T) {
	t.Parallel()
	serdetest.RunNull(t, serde.Bytes, nil)
	serdetest.RunNull(t, serde.Pointer(serde.String), nil)
	serdetest.RunNull(t, serde.List(serde.Int64), nil)
	serdetest.RunNull(t, serde.Versioned(1, serde.Bytes), nil)
}

func TestJSONForms(t *testing.T) {
	t.Parallel()
	const unknown, odd = `{"Article":"x","Count":3,"Colour":"red"}`, "{\"article\":\"a\",\"ARTICLE\":\"b\xff\",\"count\":3}"
	if err := decode(serde.JSON[line](serde.Strict), unknown); err == nil || !strings.Contains(err.Error(), "Colour") {
		t.Errorf("strict: %v", err)
	}
	if err := decode(serde.JSON[line](), odd); err == nil {
		t.Error("two names that are equal but for their case, and a byte that is not UTF-8, are accepted")
	}
	got, err := serde.JSON[line](serde.Lenient).Decode([]byte(odd))
	if err != nil || got != (line{"b\ufffd", 3}) {
		t.Errorf("lenient: %v, %v", got, err)
	}
}

// What a list says of its own size is not believed.
func TestListDecodeError(t *testing.T) {
	t.Parallel()
	ints, strs := serde.List(serde.Int32), serde.List(serde.String)
	for name, err := range map[string]error{
		"empty":              decode(ints, ""),
		"another way":        decode(ints, "\x02"),
		"strings by size":    decode(strs, "\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
		"2 GB of nulls":      decode(ints, "\x00\x7f\xff\xff\xff"),
		"2 GB of elements":   decode(ints, "\x00\x00\x00\x00\x00\x7f\xff\xff\xff"),
		"2 GB of strings":    decode(strs, "\x01\x7f\xff\xff\xff"),
		"a string of 2 GB":   decode(strs, "\x01\x00\x00\x00\x01\x7f\xff\xff\xff"),
		"a negative length":  decode(strs, "\x01\x00\x00\x00\x01\x80\x00\x00\x00"),
		"left over":          decode(strs, "\x01\x00\x00\x00\x00a"),
		"nulls out of order": decode(serde.List(serde.Pointer(serde.Int16)), "\x00\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02"),
		"an element":         decode(serde.List(serde.Bool), "\x01\x00\x00\x00\x01\x00\x00\x00\x01\x07"),
	} {
		var typed *serde.DecodeError
		if !errors.As(err, &typed) {
			t.Errorf("%s: %v", name, err)
		}
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
