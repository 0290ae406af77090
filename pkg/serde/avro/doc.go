// Package avro encodes and decodes Avro: Go types by a plan that is compiled once, and
// maps and slices, which goavro makes of bytes. It reads what was written with an older or
// newer schema by the resolution rules of the Avro specification, which goavro does not
// know.
//
// It knows no registry: what schema bytes were written with is told to it, or stands in
// front of them (single-object encoding).
//
// A schema and a codec may be used concurrently. Bytes from outside are not trusted:
// decoding them never panics, and what it allocates is bounded by their number.
//
// # Go types
//
// Of takes these, and types defined as these, for Avro's:
//
//	null               struct{}
//	boolean            bool
//	int, long          any integer; a number that does not fit is an error
//	float, double      float32, float64
//	bytes              []byte
//	string             string
//	fixed              [n]byte
//	enum               string
//	array              []T
//	map                map[string]T
//	record             a struct
//	union with null    *T, or a slice, a map or *big.Rat that is nil for null,
//	                   or T with the option omitzero, whose zero value is null
//	union of several   a struct with a pointer, slice or map for each branch, all of
//	                   which are nil for null
//
//	decimal            *big.Rat
//	date, timestamps   time.Time, which is read in UTC
//	local timestamps   time.Time, of which the clock counts and the zone does not
//	times of day       time.Duration since midnight
//	uuid               uuid.UUID
//	duration           Duration
//
// A logical type can also be taken as the type that it annotates. Where a type is
// wanted, a pointer to it will do.
//
// A struct and its record have the same fields. A field's name is in its tag,
//
//	Placed time.Time `avro:"placed_at"`
//
// or else the same but for case; "-" leaves a field of the struct out. The fields of an
// embedded struct without a tag count as those of the struct that embeds it. For a
// branch of a union the name is the type's, with or without its namespace.
package avro
