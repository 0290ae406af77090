package avro

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"time"
	"uuid"
)

// A Duration is Avro's: three numbers of which none can be turned into another.
type Duration struct {
	Months, Days, Millis uint32
}

const day = 24 * time.Hour

// timeOf turns the number of a date, a timestamp or a local timestamp into a time in
// UTC. A local timestamp has no zone: its clock is what counts.
func timeOf(l logical, v int64) time.Time {
	switch l {
	case date:
		return time.Unix(v*int64(day/time.Second), 0).UTC()
	case timestampMillis, localMillis:
		return time.UnixMilli(v).UTC()
	case timestampMicros, localMicros:
		return time.UnixMicro(v).UTC()
	}
	return time.Unix(0, v).UTC()
}

// numberOf is the inverse of timeOf. What is finer than the type's unit is cut off,
// towards the past, as Java does.
func numberOf(l logical, t time.Time) (int64, error) {
	if l == date || l >= localMillis && l <= localNanos { // what the clock on the wall shows
		t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	}
	var v int64
	switch l {
	case date:
		const seconds = int64(day / time.Second)
		v = t.Unix() / seconds
		if t.Unix()%seconds < 0 {
			v--
		}
		if v != int64(int32(v)) {
			return 0, errNumber(t, l.String())
		}
		return v, nil
	case timestampMillis, localMillis:
		v = t.UnixMilli()
	case timestampMicros, localMicros:
		v = t.UnixMicro()
	default:
		v = t.UnixNano()
	}
	if timeOf(l, v).Unix() != t.Unix() {
		return 0, errNumber(t, l.String())
	}
	return v, nil
}

func unitOf(l logical) time.Duration {
	if l == timeMillis {
		return time.Millisecond
	}
	return time.Microsecond
}

// clockOf turns the number of a time of day into the time since midnight.
func clockOf(l logical, v int64) (time.Duration, error) {
	unit := unitOf(l)
	if v < 0 || v >= int64(day/unit) {
		return 0, fmt.Errorf("%d is no time of day in units of %v", v, unit)
	}
	return time.Duration(v) * unit, nil
}

func clockNumber(l logical, d time.Duration) (int64, error) {
	if d < 0 || d >= day {
		return 0, fmt.Errorf("%v is no time of day", d)
	}
	return int64(d / unitOf(l)), nil
}

// ratOf makes a number of scale digits behind the point of its unscaled value in two's
// complement.
func ratOf(b []byte, scale *big.Int) (*big.Rat, error) {
	if len(b) == 0 {
		return nil, fmt.Errorf("a decimal of no bytes")
	}
	v := new(big.Int).SetBytes(b)
	if b[0]&0x80 != 0 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return new(big.Rat).SetFrac(v, scale), nil
}

// powerOf is 10 to the scale of n.
func powerOf(n *node) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n.scale)), nil)
}

// ratBytes is the unscaled value of v in two's complement: the shortest, or as long as
// the fixed that n is.
func ratBytes(v *big.Rat, n *node, scale *big.Int) ([]byte, error) {
	if v == nil {
		return nil, errors.New("is nil, which is no decimal")
	}
	unscaled, rest := new(big.Int).QuoRem(new(big.Int).Mul(v.Num(), scale), v.Denom(), new(big.Int))
	if rest.Sign() != 0 {
		return nil, fmt.Errorf("%s has more than %d digits behind the point", v.RatString(), n.scale)
	}
	abs := new(big.Int).Abs(unscaled)
	if limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n.precision)), nil); abs.Cmp(limit) >= 0 {
		return nil, fmt.Errorf("%s has more than %d digits", v.FloatString(n.scale), n.precision)
	}
	bits := abs.BitLen()
	if unscaled.Sign() < 0 {
		bits = abs.Sub(abs, big.NewInt(1)).BitLen() // -128 needs no more bits than 127
	}
	size := bits/8 + 1
	if n.kind == kindFixed {
		size = n.size
	}
	if unscaled.Sign() < 0 {
		unscaled.Add(unscaled, new(big.Int).Lsh(big.NewInt(1), uint(8*size)))
	}
	return unscaled.FillBytes(make([]byte, size)), nil
}

func durationOf(b []byte) Duration {
	le := binary.LittleEndian
	return Duration{le.Uint32(b), le.Uint32(b[4:]), le.Uint32(b[8:])}
}

func appendDuration(b []byte, d Duration) []byte {
	le := binary.LittleEndian
	return le.AppendUint32(le.AppendUint32(le.AppendUint32(b, d.Months), d.Days), d.Millis)
}

const uuidLen = 36

func parseUUID(b []byte) (v uuid.UUID, err error) {
	if len(b) != uuidLen {
		return v, fmt.Errorf("a uuid has %d characters, want %d", len(b), uuidLen)
	}
	err = v.UnmarshalText(b)
	return v, err
}

func uuidOf(b []byte) (v uuid.UUID) {
	copy(v[:], b)
	return v
}
