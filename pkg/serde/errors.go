package serde

import "fmt"

// A DecodeError says that bytes do not encode a value of the type asked for.
// It does not hold the bytes, which may be secret or large.
type DecodeError struct {
	Type string // the type, in Go's words: "int64"
	Want string // what an encoding looks like: "8 bytes"
	Len  int    // how many bytes there were
	Err  error  // what is wrong with them; nil if their number is
}

// Error says what was expected and what was there.
func (e *DecodeError) Error() string {
	s := fmt.Sprintf("decode %s: want %s, got %d bytes", e.Type, e.Want, e.Len)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns what is wrong with the bytes, if it is not their number.
func (e *DecodeError) Unwrap() error { return e.Err }

// An EncodeError says that a value has no encoding.
type EncodeError struct {
	Type string // the type, in Go's words
	Err  error  // why it cannot be encoded
}

// Error says which type could not be encoded and why.
func (e *EncodeError) Error() string { return "encode " + e.Type + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *EncodeError) Unwrap() error { return e.Err }
