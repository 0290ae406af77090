package avro

import (
	"encoding/json/v2"
	"fmt"
	"math"
)

// A logical is a logical type of the specification.
type logical int8

const (
	none logical = iota
	decimal
	date
	timeMillis
	timeMicros
	timestampMillis
	timestampMicros
	timestampNanos
	localMillis
	localMicros
	localNanos
	uuidType
	duration
)

var logicalNames = [...]string{
	"", "decimal", "date", "time-millis", "time-micros", "timestamp-millis", "timestamp-micros", "timestamp-nanos",
	"local-timestamp-millis", "local-timestamp-micros", "local-timestamp-nanos", "uuid", "duration",
}

func (l logical) String() string { return logicalNames[l] }

// carrier is the type that each logical type annotates; decimal and uuid have two.
var carrier = map[logical]kind{
	date: kindInt, timeMillis: kindInt, timeMicros: kindLong,
	timestampMillis: kindLong, timestampMicros: kindLong, timestampNanos: kindLong,
	localMillis: kindLong, localMicros: kindLong, localNanos: kindLong,
	duration: kindFixed,
}

// maxPrecision bounds the work that a decimal's scale can ask for.
const maxPrecision = 1 << 16

// annotate sets the logical type that raw gives to n. One that is unknown or does not
// fit is ignored, as the specification demands.
func (n *node) annotate(raw *rawSchema) error {
	var name string
	if json.Unmarshal(raw.LogicalType, &name) != nil {
		return nil
	}
	var l logical
	for i, s := range logicalNames {
		if s == name {
			l = logical(i)
		}
	}
	switch {
	case l == decimal:
		return n.annotateDecimal(raw)
	case l == uuidType && (n.kind == kindString || n.kind == kindFixed && n.size == 16):
		n.logical = l
	case l == duration && n.kind == kindFixed && n.size == 12, l != duration && l != none && carrier[l] == n.kind && l != uuidType:
		n.logical = l
	}
	return nil
}

func (n *node) annotateDecimal(raw *rawSchema) error {
	precision, scale := 0, 0
	if json.Unmarshal(raw.Precision, &precision) != nil || raw.Scale != nil && json.Unmarshal(raw.Scale, &scale) != nil {
		return nil
	}
	if precision > maxPrecision {
		return fmt.Errorf("a decimal has a precision of %d; at most %d can be handled", precision, maxPrecision)
	}
	ok := n.kind == kindBytes || n.kind == kindFixed && precision <= maxDigits(n.size)
	if ok && precision > 0 && scale >= 0 && scale <= precision {
		n.logical, n.precision, n.scale = decimal, precision, scale
	}
	return nil
}

// maxDigits is how many decimal digits any number of size bytes in two's complement
// can have.
func maxDigits(size int) int {
	return int(math.Floor(math.Log10(2) * float64(8*size-1)))
}

// clash says why a value of logical type w would be wrong as one of r, although the
// bytes are of the same type. Where only one side has a logical type there is none.
func clash(w, r *node) string {
	switch {
	case w.logical == none || r.logical == none:
		return ""
	case w.logical != r.logical:
		return fmt.Sprintf("was written as %s and would be read as %s", w.logical, r.logical)
	case w.logical == decimal && w.scale != r.scale:
		return fmt.Sprintf("was written as a decimal of scale %d and would be read with scale %d", w.scale, r.scale)
	case w.logical == decimal && w.precision > r.precision:
		return fmt.Sprintf("was written as a decimal of precision %d, and the reader's has precision %d", w.precision, r.precision)
	}
	return ""
}
