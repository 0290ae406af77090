package serde

import "uuid"

// UUID is the text of a UUID, 36 characters with hyphens in lower case, as
// Java's UUIDSerializer writes it. Decode takes either case but, other than
// Java, none of the short forms.
var UUID uuidSerde

var _ Serde[uuid.UUID] = UUID

type uuidSerde struct{}

const uuidLen = len("f81d4fae-7dec-11d0-a765-00a0c91e6bf6")

func (uuidSerde) Append(dst []byte, v uuid.UUID) ([]byte, error) { return v.AppendText(dst) }

func (uuidSerde) Decode(src []byte) (uuid.UUID, error) {
	var v uuid.UUID
	var err error
	if len(src) == uuidLen {
		if err = v.UnmarshalText(src); err == nil {
			return v, nil
		}
	}
	return uuid.UUID{}, &DecodeError{Type: "uuid.UUID", Want: "36 characters", Len: len(src), Err: err}
}
