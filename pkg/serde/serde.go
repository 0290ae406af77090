// Package serde turns values into bytes and back, as topics and stores hold
// them.
//
// The ready-made serdes write the bytes that Kafka's own Java serdes of the
// same name write, so that a topic can be shared with a JVM. Each is a
// zero-size value: it may be used concurrently, copied and compared.
//
// A serde is never given a null to decode: a null key or value has no bytes at
// all and is handled by whoever holds the record. The serde of a type that has a
// null of its own, such as Bytes, may return nil from Append to say that v is one;
// any other that returned nil would turn a value into a tombstone.
package serde

// A Serde encodes and decodes values of type T. The package serdetest checks
// that an implementation keeps what is promised here.
//
// Its methods must be safe for concurrent use. They must be deterministic:
// equal values have equal bytes, or a key would be found in one partition
// today and in another tomorrow.
type Serde[T any] interface {
	// Append appends the encoding of v to dst and returns the extended slice,
	// which is not nil, not even for an encoding of no bytes: nil says that v is
	// null. If it returns an error, the slice is dst.
	Append(dst []byte, v T) ([]byte, error)

	// Decode returns the value that src encodes, all of it: bytes left over
	// are an error. It must not keep or change src, which the caller will
	// overwrite.
	Decode(src []byte) (T, error)
}

// notNil makes a slice that is ready to be appended to and returned: an empty
// encoding is a value, and nil is not.
func notNil(dst []byte) []byte {
	if dst == nil {
		return []byte{}
	}
	return dst
}
