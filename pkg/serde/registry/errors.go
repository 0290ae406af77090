package registry

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

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
// There is no end to the errors of connections, so that it is every one that is not known
// to be an answer: what is taken for an answer is held against records.
func unanswered(err error) bool {
	var re *sr.ResponseError
	if errors.As(err, &re) {
		return re.StatusCode >= 500 || re.StatusCode == http.StatusRequestTimeout || re.StatusCode == http.StatusTooManyRequests
	}
	return !errors.Is(err, ErrNotRegistered) && !errors.Is(err, errTooDeep) && !strings.Contains(err.Error(), unknownType)
}

// unknownType is what the client says of a schema in a language that it does not know; it
// has no type for that.
const unknownType = "unknown schema type"

// refused returns why asking is of no use before somebody has put it right: whoever
// answers is no registry, or will not tell us. It returns nil of any other error.
func refused(err error) error {
	var re *sr.ResponseError
	var cert *tls.CertificateVerificationError
	var op *net.OpError
	var ours *credentialsError
	var syntax *json.SyntaxError
	var form *json.UnmarshalTypeError
	switch {
	case errors.As(err, &re):
		return refusal(re)
	case errors.As(err, &cert):
		return cert
	case errors.As(err, &op) && op.Op == "remote error": // a TLS alert, which does not pass by itself
		return fmt.Errorf("it ends the TLS handshake with %q: the client's certificate must be of an authority that the registry trusts; look at Config.TLS, in a configuration file registry.tls", op.Err)
	case errors.As(err, &ours):
		return ours
	case errors.As(err, &syntax), errors.As(err, &form):
		return fmt.Errorf("it does not answer as a registry does; %s: %w", whichAddress, err)
	}
	return nil
}

const whichAddress = "is this its address? Apicurio's ends in /apis/ccompat/v7"

// refusal is refused of what was answered.
func refusal(re *sr.ResponseError) error {
	asked := fmt.Sprintf("%s %s is answered with %d %s", re.Method, re.URL, re.StatusCode, http.StatusText(re.StatusCode))
	switch {
	case re.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%s: it wants other credentials", asked)
	case re.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%s: the credentials do not allow it", asked)
	case re.ErrorCode != 0 && re.ErrorCode != re.StatusCode, re.StatusCode == http.StatusConflict, re.StatusCode == http.StatusUnprocessableEntity, unanswered(re):
		return nil
	}
	return fmt.Errorf("%s, and not as by a registry; %s", asked, whichAddress)
}

// A credentialsError is that of the function that was to add credentials to a request.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return "credentials: " + e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

// brief leaves out of an error what the one around it says: where the request went.
func brief(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
}

// notFound reports whether err is a registry's word that there is no such schema,
// subject or version: 404 from anybody else says that this is no registry.
func notFound(err error) bool {
	var re *sr.ResponseError
	return errors.As(err, &re) && re.StatusCode == http.StatusNotFound && re.ErrorCode/100 == http.StatusNotFound
}
