// Package offsetmeta reads and writes the metadata string that a committed
// offset carries: the partition's stream time and a map of named times. The
// format is Kafka Streams' TopicPartitionMetadata (version 2):
//
//	base64( 0x02 | int64 partition time | [ int32 n | n x ( int32 len | name | int64 time ) ] )
package offsetmeta

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

const (
	version = 2
	// MaxBytes is the broker's default limit for a metadata string
	// (offset.metadata.max.bytes).
	MaxBytes = 4096
)

// Unknown is the time of a partition that no record was read from.
const Unknown = int64(-1)

// Metadata is what is committed beside an offset. All times are ms.
type Metadata struct {
	PartitionTime int64
	Times         map[string]int64
}

var errShort = errors.New("offsetmeta: truncated")

// Encode returns the metadata string. Equal metadata gives equal strings.
func (m Metadata) Encode() string {
	names := make([]string, 0, len(m.Times))
	for name := range m.Times {
		names = append(names, name)
	}
	slices.Sort(names)
	b := make([]byte, 0, 64)
	b = append(b, version)
	b = binary.BigEndian.AppendUint64(b, uint64(m.PartitionTime))
	if len(names) > 0 {
		b = binary.BigEndian.AppendUint32(b, uint32(len(names)))
	}
	for _, name := range names {
		b = binary.BigEndian.AppendUint32(b, uint32(len(name)))
		b = append(b, name...)
		b = binary.BigEndian.AppendUint64(b, uint64(m.Times[name]))
	}
	return base64.StdEncoding.EncodeToString(b)
}

// Decode reads a metadata string. The empty string, which other tools commit,
// is metadata that knows nothing. Version 1 holds the partition time alone.
func Decode(s string) (Metadata, error) {
	m := Metadata{PartitionTime: Unknown}
	if s == "" {
		return m, nil
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return m, fmt.Errorf("offsetmeta: %w", err)
	}
	if len(b) < 9 {
		return m, errShort
	}
	if b[0] != 1 && b[0] != version {
		return m, fmt.Errorf("offsetmeta: unknown version %d", b[0])
	}
	m.PartitionTime = int64(binary.BigEndian.Uint64(b[1:]))
	if b = b[9:]; len(b) == 0 || m.PartitionTime < Unknown {
		return m, nil
	}
	return m, m.decodeTimes(b)
}

func (m *Metadata) decodeTimes(b []byte) error {
	if len(b) < 4 {
		return errShort
	}
	n := binary.BigEndian.Uint32(b)
	b = b[4:]
	if uint64(n)*12 > uint64(len(b)) {
		return errShort
	}
	m.Times = make(map[string]int64, n)
	for range n {
		if len(b) < 4 {
			return errShort
		}
		size := uint64(binary.BigEndian.Uint32(b))
		if b = b[4:]; size+8 > uint64(len(b)) {
			return errShort
		}
		m.Times[string(b[:size])] = int64(binary.BigEndian.Uint64(b[size:]))
		b = b[size+8:]
	}
	return nil
}
