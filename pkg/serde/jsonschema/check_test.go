package jsonschema

import (
	"strings"
	"testing"
)

// A validator that panics has met a value that it cannot bear.
func TestPanic(t *testing.T) {
	t.Parallel()
	if err := validate(nil, []byte("1")); err == nil || !strings.Contains(err.Error(), "it cannot be validated: ") {
		t.Errorf("%v", err)
	}
}
