package registry

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/twmb/franz-go/pkg/sr"
)

// An Error says which schema could not be had, and from where. It wraps
// serde.ErrUnavailable if the registry did not answer.
type Error struct {
	Schema   string // "id 7", "guid ...", or the record's name
	Subject  string // under which it is, as far as is known
	Registry string
	Err      error
}

// Error says what was asked for, and the answer.
func (e *Error) Error() string {
	s := "schema " + e.Schema
	if e.Subject != "" {
		s += fmt.Sprintf(", subject %q", e.Subject)
	}
	return s + ", registry " + e.Registry + ": " + e.Err.Error()
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// ErrNotRegistered is wrapped by the error of a schema that its subject does not have.
var ErrNotRegistered = errors.New("not registered")

// ErrIncompatible is wrapped by the error of a schema whose data cannot be read.
var ErrIncompatible = errors.New("incompatible")

// unanswered reports whether err says that the registry did not answer, so that it is
// worth asking again: there was nobody, or one who is starting, overloaded or cut off.
func unanswered(err error) bool {
	var re *sr.ResponseError
	if errors.As(err, &re) {
		return re.StatusCode >= 500 || re.StatusCode == http.StatusRequestTimeout || re.StatusCode == http.StatusTooManyRequests
	}
	var ue *url.Error
	var ne net.Error
	return errors.As(err, &ue) || errors.As(err, &ne) || errors.Is(err, io.ErrUnexpectedEOF)
}

// notFound reports whether err is a registry's word that there is no such schema,
// subject or version: 404 from anybody else says that this is no registry.
func notFound(err error) bool {
	var re *sr.ResponseError
	return errors.As(err, &re) && re.StatusCode == http.StatusNotFound && re.ErrorCode/100 == http.StatusNotFound
}
