package member

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// What members and leader tell one another beyond Kafka's own consumer protocol
// travels in its user data fields. Both formats begin with a version, one byte.
// Numbers are unsigned varints, strings and lists have their length first. A later
// version only appends: a reader takes the fields that it knows from a newer
// version and passes over the rest.
const dataVersion = 1

// memberData is what a member tells the leader when it joins: version,
// fingerprint, instance, workers.
type memberData struct {
	fingerprint string // of its topology
	self        Fence
}

// assignmentData is what the leader tells a member with its assignment: version,
// fingerprint, owed (0 or 1), living, departed with ages.
type assignmentData struct {
	fingerprint string // of the topology that the assignment is about
	owed        bool   // the member holds tasks that another waits for: it is to give them up and join again
	roster      roster // equal for all members
}

func (d memberData) encode() []byte {
	b := []byte{dataVersion}
	b = appendString(b, d.fingerprint)
	return appendFence(b, d.self)
}

func decodeMember(b []byte) (memberData, error) {
	r := reader{buf: b}
	r.version()
	d := memberData{fingerprint: r.string(), self: r.fence()}
	return d, r.end("member's user data")
}

func (d assignmentData) encode() []byte {
	b := []byte{dataVersion}
	b = appendString(b, d.fingerprint)
	b = append(b, bit(d.owed))
	b = binary.AppendUvarint(b, uint64(len(d.roster.living)))
	for _, f := range d.roster.living {
		b = appendFence(b, f)
	}
	b = binary.AppendUvarint(b, uint64(len(d.roster.departed)))
	for _, f := range d.roster.departed {
		b = binary.AppendUvarint(appendFence(b, f.Fence), uint64(f.age))
	}
	return b
}

func decodeAssignment(b []byte) (assignmentData, error) {
	r := reader{buf: b}
	r.version()
	d := assignmentData{fingerprint: r.string(), owed: r.number() != 0}
	for range r.number() {
		if r.err != nil {
			break
		}
		d.roster.living = append(d.roster.living, r.fence())
	}
	for range r.number() {
		if r.err != nil {
			break
		}
		d.roster.departed = append(d.roster.departed, departed{Fence: r.fence(), age: r.number()})
	}
	return d, r.end("assignment's user data")
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendFence(b []byte, f Fence) []byte {
	return binary.AppendUvarint(appendString(b, f.Instance), uint64(f.Workers))
}

func bit(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// A reader reads fields until the first error, and zeros after it.
type reader struct {
	buf   []byte
	newer bool // than this code: fields may follow that it does not know
	err   error
}

var errShort = errors.New("it ends too early")

func (r *reader) version() {
	switch v := r.bytes(1); {
	case r.err != nil:
	case v[0] == 0:
		r.err = errors.New("it has version 0")
	default:
		r.newer = v[0] > dataVersion
	}
}

func (r *reader) bytes(n int) []byte {
	if r.err == nil && n > len(r.buf) {
		r.err = errShort
	}
	if r.err != nil {
		return nil
	}
	out := r.buf[:n]
	r.buf = r.buf[n:]
	return out
}

func (r *reader) number() int {
	if r.err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.buf)
	if n == 0 {
		r.err = errShort
		return 0
	}
	if n < 0 || v > math.MaxInt32 {
		r.err = errors.New("a number in it is too large")
		return 0
	}
	r.buf = r.buf[n:]
	return int(v)
}

func (r *reader) string() string { return string(r.bytes(r.number())) }

func (r *reader) fence() Fence { return Fence{Instance: r.string(), Workers: r.number()} }

func (r *reader) end(what string) error {
	if r.err == nil && len(r.buf) > 0 && !r.newer {
		r.err = fmt.Errorf("%d bytes follow its end", len(r.buf))
	}
	if r.err != nil {
		return fmt.Errorf("%s: %w", what, r.err)
	}
	return nil
}
