package serde

import (
	"context"
	"errors"
)

// What follows is for serdes that need more than bytes: where they are used, the
// record's headers, a moment at start. Each is an interface of one method that leat
// looks for once, when a topology is wired. A serde without it pays nothing.

// A Place is where a serde is used.
type Place struct {
	Topic    string // in Kafka; of a store, that of its changelog
	Part     Part
	Internal bool // the topic is the application's own: a repartition topic or a changelog
}

// Part is a record's key or its value.
type Part int8

const (
	Key Part = iota
	Value
)

func (p Part) String() string {
	if p == Key {
		return "key"
	}
	return "value"
}

// A Placer is a serde that differs by where it is used. At returns the one for p; the
// receiver stays as it is.
type Placer[T any] interface {
	At(p Place) Serde[T]
}

// At returns s for where it is used: s itself, unless it is a Placer.
func At[T any](s Serde[T], p Place) Serde[T] {
	if placer, ok := s.(Placer[T]); ok {
		return placer.At(p)
	}
	return s
}

// Headers are those of the record in hand. What a method is given or returns belongs
// to the record and must not be changed.
type Headers interface {
	// Get returns the last value under key.
	Get(key string) (value []byte, ok bool)
	// Set makes value the only one under key.
	Set(key string, value []byte)
	// Delete removes every value under key.
	Delete(key string)
}

// A HeaderDecoder is a serde that looks into the headers. Of a topic's record with
// headers, it is called instead of Decode and likewise. What it deletes from the
// headers, the topology does not see.
type HeaderDecoder[T any] interface {
	DecodeRecord(src []byte, h Headers) (T, error)
}

// A HeaderAppender is a serde that writes headers. For a topic's record it is called
// instead of Append and likewise. A store has no headers: what Append writes must do
// without.
type HeaderAppender[T any] interface {
	AppendRecord(dst []byte, v T, h Headers) ([]byte, error)
}

// Use says what a serde is for in one place.
type Use int8

const (
	Reads Use = 1 << iota
	Writes
	// Migrates is the use of a serde that is given to Migrate: it reads what an older
	// version of the service has left in a store, and nothing that is written now.
	Migrates Use = 0
)

// A Starter is a serde that checks, before the first record, that it can do its work
// where it is used. Start may ask other services; it returns what must be put right.
type Starter interface {
	Start(ctx context.Context, use Use) error
}

// Start has those of serdes checked that are Starters, and returns all that must be put
// right. When one of them is unavailable the others are not asked: they would wait in
// turn for what does not answer.
func Start(ctx context.Context, use Use, serdes ...any) (err error) {
	for _, s := range serdes {
		if starter, ok := s.(Starter); ok {
			err = errors.Join(err, starter.Start(ctx, use))
		}
		if errors.Is(err, ErrUnavailable) {
			break
		}
	}
	return err
}

// A Checker is a serde that can tell from the bytes of a store's entry, without the
// cost of decoding them, that it will never be able to read them. Before a task runs it
// is asked about all that its stores hold, and what it returns keeps the task from
// running. If it is not Formed, too, each entry is shown to it at every start, but for
// small stores.
type Checker interface {
	Check(src []byte) error
}

// A Formed serde is a Checker that goes by a part of the bytes: by the version or the
// schema that they say they were written with. Which forms a store holds is kept beside
// it, so that a start need not read it.
//
// AppendForm appends bytes to dst that stand for src: they are the same of all that was
// written alike, are few, and Check returns of them what it returns of src. Of bytes that
// are too short to tell, Check returns an error. AppendForm does not keep src, and is
// used concurrently.
type Formed interface {
	AppendForm(dst, src []byte) []byte
}

// A Doubter is a Formed serde whose forms do not say all. Doubts says of a form, with which
// Check finds no fault, whether there may be bytes of it that cannot be read: those are
// decoded, once by each build of the program, before a task runs. Doubts is used
// concurrently, and where nobody may wait: what it would have to ask others for it does not
// doubt, and is asked again once Check has seen to that.
type Doubter interface {
	Doubts(form []byte) bool
}

// Doubts says whether s may be unable to read bytes of that form, which its Check takes. A
// serde that is no Checker may be, whatever the form.
func Doubts(s any, form []byte) bool { return doubts(s, form, true) }

// AppendForm appends the form of src to dst: what s says of it, if it is Formed; all of
// src, if it is a Checker; else nothing. It is for serdes around others, and for stores.
func AppendForm(s any, dst, src []byte) []byte {
	switch s := s.(type) {
	case Formed:
		return s.AppendForm(dst, src)
	case Checker:
		return append(dst, src...)
	}
	return dst
}

// ErrUnavailable is wrapped by the error of a serde that could not ask what it had to,
// for as long as it was told to try, or that was refused an answer. That is no fault of
// the record's: no policy passes over it.
var ErrUnavailable error = unavailable{}

type unavailable struct{}

func (unavailable) Error() string { return "unavailable" }

// Unskippable keeps policies from passing over the error.
func (unavailable) Unskippable() {}

// ErrUnreadable is wrapped by the error of a store that holds what its serde cannot
// read.
var ErrUnreadable = errors.New("written in a form that this service cannot read")
