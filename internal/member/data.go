package member

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/leatstream/leat/internal/assign"
)

// What members and leader tell one another beyond Kafka's own consumer protocol
// travels in its user data fields. Both formats begin with a version, one byte.
// Numbers are unsigned varints, strings and lists have their length first. A later
// version only appends: a reader takes the fields that it knows from a newer
// version and passes over the rest, and a writer of an older one has left them out.
const dataVersion = 4

// memberData is what a member tells the leader when it joins: version,
// fingerprint, instance, workers; since version 2 tags, and the state held as
// sub-topology, partition and position; since version 4 the weights of the tasks that it
// claims, likewise.
type memberData struct {
	fingerprint string // of its topology
	self        Fence
	tags        map[string]string
	held        map[assign.Task]int64
	weights     map[assign.Task]int64
}

// assignmentData is what the leader tells a member with its assignment: version,
// fingerprint, again (0 or 1), living, departed with ages; since version 2 the tasks
// to follow, and those of them that warm up; since version 3 the shape; since version 4
// the weights of all tasks, as far as they are known.
type assignmentData struct {
	fingerprint string // of the topology that the assignment is about
	again       bool   // somebody waits for what another is to give up: the member is to join again, having given up what it has of that
	roster      roster // equal for all members
	standby     []assign.Task
	warming     []assign.Task
	shape       []string // what the fingerprint is of; empty for a member that has the same
	weights     map[assign.Task]int64
}

func (d memberData) encode(version byte) []byte {
	b := []byte{version}
	b = appendString(b, d.fingerprint)
	b = appendFence(b, d.self)
	if version < 2 {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(d.tags)))
	for _, key := range slices.Sorted(maps.Keys(d.tags)) {
		b = appendString(appendString(b, key), d.tags[key])
	}
	b = appendNumbers(b, d.held)
	if version >= 4 {
		b = appendNumbers(b, d.weights)
	}
	return b
}

func decodeMember(b []byte, known byte) (memberData, error) {
	r := reader{buf: b}
	v := r.version(known)
	d := memberData{fingerprint: r.string(), self: r.fence()}
	if v >= 2 {
		d.tags, d.held = r.tags(), r.numbers(math.MaxInt64)
	}
	if v >= 4 {
		d.weights = r.numbers(math.MaxInt32)
	}
	return d, r.end("member's user data")
}

func (d assignmentData) encode(version byte) []byte {
	b := []byte{version}
	b = appendString(b, d.fingerprint)
	b = append(b, bit(d.again))
	b = binary.AppendUvarint(b, uint64(len(d.roster.living)))
	for _, f := range d.roster.living {
		b = appendFence(b, f)
	}
	b = binary.AppendUvarint(b, uint64(len(d.roster.departed)))
	for _, f := range d.roster.departed {
		b = binary.AppendUvarint(appendFence(b, f.Fence), uint64(f.age))
	}
	if version >= 2 {
		b = appendTasks(appendTasks(b, d.standby), d.warming)
	}
	if version >= 3 {
		b = binary.AppendUvarint(b, uint64(len(d.shape)))
		for _, line := range d.shape {
			b = appendString(b, line)
		}
	}
	if version >= 4 {
		b = appendNumbers(b, d.weights)
	}
	return b
}

func decodeAssignment(b []byte, known byte) (assignmentData, error) {
	r := reader{buf: b}
	v := r.version(known)
	d := assignmentData{fingerprint: r.string(), again: r.number() != 0}
	for range r.count() {
		d.roster.living = append(d.roster.living, r.fence())
	}
	for range r.count() {
		d.roster.departed = append(d.roster.departed, departed{Fence: r.fence(), age: r.number()})
	}
	if v >= 2 {
		d.standby, d.warming = r.tasks(), r.tasks()
	}
	if v >= 3 {
		for range r.count() {
			d.shape = append(d.shape, r.string())
		}
	}
	if v >= 4 {
		d.weights = r.numbers(math.MaxInt32)
	}
	return d, r.end("assignment's user data")
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendFence(b []byte, f Fence) []byte {
	return binary.AppendUvarint(appendString(b, f.Instance), uint64(f.Workers))
}

func appendTask(b []byte, t assign.Task) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(t.Sub)), uint64(t.Partition))
}

func appendTasks(b []byte, tasks []assign.Task) []byte {
	b = binary.AppendUvarint(b, uint64(len(tasks)))
	for _, t := range tasks {
		b = appendTask(b, t)
	}
	return b
}

func appendNumbers(b []byte, by map[assign.Task]int64) []byte {
	b = binary.AppendUvarint(b, uint64(len(by)))
	for _, t := range slices.SortedFunc(maps.Keys(by), assign.Task.Compare) {
		b = binary.AppendUvarint(appendTask(b, t), uint64(by[t]))
	}
	return b
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

// version is the latest one whose fields are there and known.
func (r *reader) version(known byte) byte {
	v := r.bytes(1)
	if r.err != nil {
		return 0
	}
	if v[0] == 0 {
		r.err = errors.New("it has version 0")
	}
	r.newer = v[0] > known
	return min(v[0], known)
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

func (r *reader) number() int { return int(r.upTo(math.MaxInt32)) }

func (r *reader) upTo(limit uint64) uint64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.buf)
	if n == 0 {
		r.err = errShort
		return 0
	}
	if n < 0 || v > limit {
		r.err = errors.New("a number in it is too large")
		return 0
	}
	r.buf = r.buf[n:]
	return v
}

// count is the length of a list. An element takes a byte at least, so that one that
// cannot be there is found before anything is made for it.
func (r *reader) count() int {
	n := r.number()
	if n > len(r.buf) {
		r.err = errShort
	}
	if r.err != nil {
		return 0
	}
	return n
}

func (r *reader) task() assign.Task {
	return assign.Task{Sub: r.number(), Partition: int32(r.number())}
}

func (r *reader) tasks() (out []assign.Task) {
	for range r.count() {
		out = append(out, r.task())
	}
	return out
}

func (r *reader) tags() map[string]string {
	n := r.count()
	if n == 0 {
		return nil
	}
	out := make(map[string]string, n)
	for range n {
		key := r.string()
		out[key] = r.string()
	}
	return out
}

// numbers are one for each task, up to a limit.
func (r *reader) numbers(limit uint64) map[assign.Task]int64 {
	n := r.count()
	if n == 0 {
		return nil
	}
	out := make(map[assign.Task]int64, n)
	for range n {
		t := r.task()
		out[t] = int64(r.upTo(limit))
	}
	return out
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
