package serde

var (
	// String writes a string's bytes as they are. For text that is UTF-8
	// these are the bytes of Java's StringSerializer; bytes that are not
	// UTF-8 survive unchanged, where Java would replace them.
	String stringSerde

	// Bytes writes a byte slice as it is. Decode returns a copy, which is
	// empty and not nil if there are no bytes: nil is null, both ways.
	Bytes bytesSerde
)

var (
	_ Serde[string] = String
	_ Serde[[]byte] = Bytes
)

// ReadsAny reports whether s can read any bytes, and writes them as it has read them. Who
// has to see that bytes can be read need not decode those.
func ReadsAny(s any) bool {
	switch s := s.(type) {
	case stringSerde, bytesSerde:
		return true
	case interface{ readsAny() bool }:
		return s.readsAny()
	}
	return false
}

type stringSerde struct{}

func (stringSerde) Append(dst []byte, v string) ([]byte, error) {
	return append(notNil(dst), v...), nil
}

func (stringSerde) Decode(src []byte) (string, error) { return string(src), nil }

type bytesSerde struct{}

func (bytesSerde) Append(dst, v []byte) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	return append(notNil(dst), v...), nil
}

func (bytesSerde) Decode(src []byte) ([]byte, error) {
	v := make([]byte, len(src)) // with the copy, cheaper than an append: nothing is cleared before
	copy(v, src)
	return v, nil
}
