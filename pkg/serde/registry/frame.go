package registry

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"uuid"

	"github.com/leatstream/leat/pkg/serde"
)

// A frame names the schema of what follows it, or, in a header, of the record's key or
// value: a magic byte, then by that an id in four bytes or a GUID in sixteen, then of
// Protobuf the message's place in its file.
//
//	0 | id, 4 bytes    | Protobuf: count, places
//	1 | GUID, 16 bytes | Protobuf: count, places
//
// Count and places are signed varints; a count of 0 stands for the one place 0.
type frame []byte

const (
	magicID   = 0
	magicGUID = 1

	idSize   = 1 + 4
	guidSize = 1 + 16

	maxIndex = 32 // messages within messages
)

// The headers that hold a frame, by serde.Part.
var headerNames = [...]string{serde.Key: "__key_schema_id", serde.Value: "__value_schema_id"}

var errShort = errors.New("it ends within what should name its schema")

// cut splits src after its frame.
func cut(src []byte, t serde.SchemaType) (f frame, rest []byte, err error) {
	n := idSize
	switch {
	case len(src) == 0:
		return nil, nil, errShort
	case src[0] == magicGUID:
		n = guidSize
	case src[0] != magicID:
		return nil, nil, fmt.Errorf("its first byte is %d, and not 0 or 1 as of what a registry's serializer writes", src[0])
	}
	if len(src) < n {
		return nil, nil, errShort
	}
	if t == serde.ProtobufSchema {
		size, err := indexSize(src[n:])
		if err != nil {
			return nil, nil, err
		}
		n += size
	}
	return src[:n:n], src[n:], nil
}

// indexSize is how many bytes src begins with that say where a message is.
func indexSize(src []byte) (int, error) {
	count, n := binary.Varint(src)
	if n <= 0 || count < 0 || count > maxIndex {
		return 0, errors.New("it does not say which message of its schema it is")
	}
	for range count {
		i, size := binary.Varint(src[n:])
		if size <= 0 || i < 0 {
			return 0, errors.New("it does not say which message of its schema it is")
		}
		n += size
	}
	return n, nil
}

// name is how the schema is called in messages.
func (f frame) name() string {
	if f[0] == magicGUID {
		return "guid " + f.guid()
	}
	return "id " + strconv.Itoa(f.id())
}

func (f frame) id() int { return int(int32(binary.BigEndian.Uint32(f[1:]))) }

func (f frame) guid() string { return uuid.UUID(f[1:guidSize]).String() }

// schema is the part that names the schema, without the message.
func (f frame) schema() frame {
	if f[0] == magicGUID {
		return f[:guidSize]
	}
	return f[:idSize]
}

// index is the message's place; nil of a format that has one value in each schema.
func (f frame) index() []int {
	rest := f[len(f.schema()):]
	if len(rest) == 0 {
		return nil
	}
	count, n := binary.Varint(rest)
	if count == 0 {
		return []int{0}
	}
	index := make([]int, count)
	for i := range index {
		v, size := binary.Varint(rest[n:])
		index[i], n = int(v), n+size
	}
	return index
}

func frameOfID(id int, index []int) frame {
	return appendIndex(binary.BigEndian.AppendUint32(frame{magicID}, uint32(id)), index)
}

func frameOfGUID(guid string, index []int) (frame, error) {
	id, err := uuid.Parse(guid)
	if err != nil {
		return nil, err
	}
	return appendIndex(append(frame{magicGUID}, id[:]...), index), nil
}

func appendIndex(f frame, index []int) frame {
	switch {
	case len(index) == 0:
		return f
	case slices.Equal(index, []int{0}):
		return append(f, 0)
	}
	f = binary.AppendVarint(f, int64(len(index)))
	for _, i := range index {
		f = binary.AppendVarint(f, int64(i))
	}
	return f
}
