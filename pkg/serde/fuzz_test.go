package serde_test

import (
	"bytes"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/serde"
)

// FuzzDecode feeds any bytes to every decoder. What is accepted must encode to
// the same bytes again, but for the spellings that are named here.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "\x00", "\x01", "\x02", "ab", "abcd", "abcdefgh", "\x7f\xf8\x00\x00\x00\x00\x00\x01", "\x01\x00\x00\x00\x00",
		"F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", "{f81d4fae-7dec-11d0-a765-00a0c91e6bf}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		roundTrip(t, serde.Bool, src, src)
		roundTrip(t, serde.Int16, src, src)
		roundTrip(t, serde.Int32, src, src)
		roundTrip(t, serde.Int64, src, src)
		roundTrip(t, serde.String, src, src)
		roundTrip(t, serde.Bytes, src, src)
		roundTrip(t, serde.Float32, src, src)
		roundTrip(t, serde.UUID, src, bytes.ToLower(src))
		roundTrip(t, serde.List(serde.Int16), src, respelt(serde.List(serde.Int16), src))
		roundTrip(t, serde.List(serde.Pointer(serde.Int32)), src, respelt(serde.List(serde.Pointer(serde.Int32)), src))
		roundTrip(t, serde.List(serde.Bytes), src, src)
		roundTrip(t, serde.List(serde.List(serde.String)), src, src)
		roundTrip(t, serde.TimeWindowed(serde.String, time.Minute), src, src)
		roundTrip(t, serde.TimeWindowed(serde.Int16, math.MaxInt64), src, src)
		roundTrip(t, serde.SessionWindowed(serde.String), src, src)
		tells(t, serde.TimeWindowed(serde.Versioned(1, serde.String), time.Minute), src)
		tells(t, serde.SessionWindowed(serde.Versioned(1, serde.String)), src)
		tells(t, serde.Pointer(serde.Versioned(1, serde.String)), src)
		tells(t, serde.List(serde.Versioned(1, serde.String)), src)
		tells(t, serde.List(serde.Pointer(serde.Int32)), src)
		if v, err := serde.Float64.Decode(src); err == nil && v == v {
			roundTrip(t, serde.Float64, src, src)
		}
	})
}

// FuzzJSON feeds any bytes to the JSON decoder. What it makes of them must
// survive a round trip.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		"", "null", "{}", `{"ID":"a","Lines":[{"Article":"x","Count":1}]}`, `{"ID":"\ud800"}`, `{"ID":1,"ID":2}`, "{} {}",
	} {
		f.Add([]byte(seed))
	}
	s := serde.JSON[order]()
	f.Fuzz(func(t *testing.T, src []byte) {
		v, err := s.Decode(src)
		if err != nil {
			return
		}
		enc, err := s.Append(nil, v)
		if err != nil {
			t.Fatalf("%q decodes to %v, which does not encode: %v", src, v, err)
		}
		roundTrip(t, s, enc, enc)
	})
}

// respelt is how a list of elements of one size is written, of which Java reads two
// spellings: with the length of each element, it becomes the one without. That must be
// read as the same.
func respelt[T any](s serde.Serde[[]T], src []byte) []byte {
	if len(src) == 0 || src[0] != 1 {
		return src
	}
	v, err := s.Decode(src)
	if err != nil {
		return src
	}
	enc, err := s.Append(nil, v)
	if err != nil {
		return src
	}
	if again, err := s.Decode(enc); err != nil || !reflect.DeepEqual(v, again) {
		return src
	}
	return enc
}

// tells: what is said of a form is said of the bytes.
func tells[T any](t *testing.T, s serde.Serde[T], src []byte) {
	t.Helper()
	c, form := s.(serde.Checker), serde.AppendForm(s, nil, src)
	if whole, part := c.Check(src), c.Check(form); (whole == nil) != (part == nil) {
		t.Errorf("%x: %v, and of its form %x: %v", src, whole, form, part)
	}
}

func roundTrip[T any](t *testing.T, s serde.Serde[T], src, want []byte) {
	t.Helper()
	v, err := s.Decode(src)
	if err != nil {
		return
	}
	got, err := s.Append(nil, v)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%T: %x decodes to %v, which encodes to %x, %v", v, src, v, got, err)
	}
}
