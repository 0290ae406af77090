package topology

import (
	"regexp"
	"time"

	"github.com/leatstream/leat/internal/task"
)

// Latest returns a copy of t that, read for the first time, is read from its end.
// The default is from its beginning.
func (t Topic[K, V]) Latest() Topic[K, V] {
	t.start = task.Latest
	return t
}

// Since returns a copy of t that, read for the first time, is read from the first
// record that is not older than d (KIP-1106). It is the log's own timestamps that
// count here.
func (t Topic[K, V]) Since(d time.Duration) Topic[K, V] {
	t.start = task.Back(d.Milliseconds())
	return t
}

// CommittedOnly returns a copy of t that is only read on from where the application has
// committed: where it has committed nothing, be it in a partition or a topic that is new,
// the service stops and says so. It is for who sets the first offsets by hand, or must not
// take a group whose offsets have expired for a new one. A test driver reads from the
// beginning.
func (t Topic[K, V]) CommittedOnly() Topic[K, V] {
	t.start = task.Nowhere
	return t
}

// Timed returns a copy of t whose records, when they are read, get their timestamp
// from extract, which sees the record with the timestamp that Kafka has. It may be
// called for a record whose value is null. A time before the epoch is an invalid one.
//
// A topic that is read in several places is declared once. Of declarations that differ in
// whether there is an extract Build says so; that two of them have different ones it cannot
// see, and goes by the first that is read.
func (t Topic[K, V]) Timed(extract func(Record[K, V]) time.Time) Topic[K, V] {
	t.extract, t.arrival = extract, false
	return t
}

// TimedByArrival returns a copy of t whose records, when they are read, get the time of
// day as their timestamp. Reading them again gives others.
func (t Topic[K, V]) TimedByArrival() Topic[K, V] {
	t.extract, t.arrival = nil, true
	return t
}

// InvalidTime says what becomes of a record whose timestamp is before the epoch.
type InvalidTime int8

const (
	// FailInvalid makes it an error that the decode policy answers.
	FailInvalid InvalidTime = iota
	// SkipInvalid drops the record and counts it.
	SkipInvalid
	// UsePartitionTime gives it the greatest timestamp that was read from its
	// partition. If there is none yet it is an error.
	UsePartitionTime
)

// OnInvalidTime returns a copy of t with another answer to invalid timestamps. The
// default is FailInvalid.
func (t Topic[K, V]) OnInvalidTime(answer InvalidTime) Topic[K, V] {
	t.invalid = answer
	return t
}

// FromMatching reads every topic whose whole name matches pattern, but for those that the
// topology names itself and the one for dead letters, as like is read, whose name is that of the node. Topics that
// come to match while the service runs are taken up within ten seconds or so; all of
// them have the types of like. There must be one when the service starts.
func (b *Builder) FromMatching[K, V any](pattern *regexp.Regexp, like Topic[K, V]) Stream[K, V] {
	whole := regexp.MustCompile("^(?:" + pattern.String() + ")$")
	return from(b, like, task.Source{Topic: task.Topic{Name: "~" + pattern.String()}, Pattern: whole})
}

// A sourceReader decodes the records of one input, or of all inputs of a source if their
// timestamps are not looked at.
type sourceReader[K, V any] struct {
	topic Topic[K, V]
	t     *task.Task
	out   *task.Port[Record[K, V]]

	ahead  bool // next, the head of the input, has been decoded for its timestamp
	next   Record[K, V]
	offset int64 // of next
}

func (s *sourceReader[K, V]) feed(m *task.Message) error {
	r, err := s.decode(m)
	if err != nil {
		return err
	}
	r.Time = stamp(m.Time)
	return s.out.Emit(r)
}

// decode decodes m, unless that was done for its timestamp.
func (s *sourceReader[K, V]) decode(m *task.Message) (Record[K, V], error) {
	if s.ahead && s.offset == m.Offset {
		s.ahead = false
		return s.next, nil
	}
	return s.topic.decode(m.Key, m.Value, m.Headers)
}

// timed reports whether the records' timestamps are to be looked at before they are
// chosen among those of other inputs.
func (t Topic[K, V]) timed() bool { return t.extract != nil || t.arrival || t.invalid != FailInvalid }

// timedLike reports whether the timestamps of t and other are taken alike, as far as can be
// told: functions cannot be compared.
func (t Topic[K, V]) timedLike(other Topic[K, V]) bool {
	return (t.extract == nil) == (other.extract == nil) && t.arrival == other.arrival && t.invalid == other.invalid
}

// time is the timestamp of m; valid is false if m is to be dropped.
func (s *sourceReader[K, V]) time(m *task.Message, partition int64) (at int64, valid bool, err error) {
	if at = m.Time; s.topic.arrival {
		at = s.t.WallClock()
	}
	if s.topic.extract != nil {
		r, err := s.topic.decode(m.Key, m.Value, m.Headers)
		if err != nil {
			return 0, false, err
		}
		r.Time = stamp(m.Time)
		s.ahead, s.next, s.offset = true, r, m.Offset
		at = s.topic.extract(r).UnixMilli()
	}
	switch {
	case at >= 0:
		return at, true, nil
	case s.topic.invalid == SkipInvalid:
		return 0, false, nil
	case s.topic.invalid == UsePartitionTime && partition >= 0:
		return partition, true, nil
	}
	return 0, false, task.ErrTimestamp
}
