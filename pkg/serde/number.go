package serde

import (
	"encoding/binary"
	"fmt"
	"math"
)

// The numbers are big-endian and of fixed size, as Java writes them. That
// order of bytes is not the order of numbers where negative ones are among
// them.
var (
	// Bool is one byte, 0 or 1; any other is an error, as in Java.
	Bool boolSerde

	// Int16 is two bytes, Java's Short.
	Int16 int16Serde

	// Int32 is four bytes, Java's Integer.
	Int32 int32Serde

	// Int64 is eight bytes, Java's Long.
	Int64 int64Serde

	// Float32 is four bytes, Java's Float. A NaN keeps its bits.
	Float32 float32Serde

	// Float64 is eight bytes, Java's Double. Every NaN is written as the same
	// one, as Java does for doubles (though not for floats).
	Float64 float64Serde
)

var (
	_ Serde[bool]    = Bool
	_ Serde[int16]   = Int16
	_ Serde[int32]   = Int32
	_ Serde[int64]   = Int64
	_ Serde[float32] = Float32
	_ Serde[float64] = Float64
)

type boolSerde struct{}

func (boolSerde) Append(dst []byte, v bool) ([]byte, error) {
	if v {
		return append(dst, 1), nil
	}
	return append(dst, 0), nil
}

func (boolSerde) Decode(src []byte) (bool, error) {
	if len(src) == 1 && src[0] <= 1 {
		return src[0] == 1, nil
	}
	err := &DecodeError{Type: "bool", Want: "one byte, 0 or 1", Len: len(src)}
	if len(src) == 1 {
		err.Err = fmt.Errorf("the byte is %d", src[0])
	}
	return false, err
}

type int16Serde struct{}

func (int16Serde) Append(dst []byte, v int16) ([]byte, error) {
	return binary.BigEndian.AppendUint16(dst, uint16(v)), nil
}

func (int16Serde) Decode(src []byte) (int16, error) {
	if len(src) != 2 {
		return 0, &DecodeError{Type: "int16", Want: "2 bytes", Len: len(src)}
	}
	return int16(binary.BigEndian.Uint16(src)), nil
}

type int32Serde struct{}

func (int32Serde) Append(dst []byte, v int32) ([]byte, error) {
	return binary.BigEndian.AppendUint32(dst, uint32(v)), nil
}

func (int32Serde) Decode(src []byte) (int32, error) {
	if len(src) != 4 {
		return 0, &DecodeError{Type: "int32", Want: "4 bytes", Len: len(src)}
	}
	return int32(binary.BigEndian.Uint32(src)), nil
}

type int64Serde struct{}

func (int64Serde) Append(dst []byte, v int64) ([]byte, error) {
	return binary.BigEndian.AppendUint64(dst, uint64(v)), nil
}

func (int64Serde) Decode(src []byte) (int64, error) {
	if len(src) != 8 {
		return 0, &DecodeError{Type: "int64", Want: "8 bytes", Len: len(src)}
	}
	return int64(binary.BigEndian.Uint64(src)), nil
}

type float32Serde struct{}

func (float32Serde) Append(dst []byte, v float32) ([]byte, error) {
	return binary.BigEndian.AppendUint32(dst, math.Float32bits(v)), nil
}

func (float32Serde) Decode(src []byte) (float32, error) {
	if len(src) != 4 {
		return 0, &DecodeError{Type: "float32", Want: "4 bytes", Len: len(src)}
	}
	return math.Float32frombits(binary.BigEndian.Uint32(src)), nil
}

type float64Serde struct{}

// javaNaN is what Double.doubleToLongBits makes of every NaN. Go's own
// math.NaN has another bit set.
const javaNaN = 0x7ff8000000000000

func (float64Serde) Append(dst []byte, v float64) ([]byte, error) {
	bits := math.Float64bits(v)
	if math.IsNaN(v) {
		bits = javaNaN
	}
	return binary.BigEndian.AppendUint64(dst, bits), nil
}

func (float64Serde) Decode(src []byte) (float64, error) {
	if len(src) != 8 {
		return 0, &DecodeError{Type: "float64", Want: "8 bytes", Len: len(src)}
	}
	return math.Float64frombits(binary.BigEndian.Uint64(src)), nil
}
