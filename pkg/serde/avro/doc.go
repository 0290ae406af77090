// Package avro encodes and decodes Avro: into Go structs by a plan that is compiled
// once, and into maps and slices by goavro. It reads what was written with an older or
// newer schema by the resolution rules of the Avro specification, which goavro does not
// know.
//
// It knows no registry: what schema bytes were written with is told to it, or stands in
// front of them (single-object encoding).
//
// A schema and a codec may be used concurrently. Bytes from outside are not trusted:
// decoding them never panics, and what it allocates is bounded by their number.
package avro
