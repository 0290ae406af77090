// Package storetest checks that an engine keeps the promises of engine.Engine.
package storetest

import (
	"testing"

	"github.com/leatstream/leat/internal/engine"
)

// Engine runs the suite. open returns an empty engine, which the suite closes;
// it may be called from parallel tests. Run it with the race detector too.
func Engine(t *testing.T, open func(t *testing.T) engine.Engine) {
	for _, c := range []struct {
		promise string
		check   func(*testing.T, subject)
		closes  bool // check closes the engine itself
	}{
		{promise: "a key is missing until it is set", check: missing},
		{promise: "the last write wins", check: lastWrite},
		{promise: "an empty value is a value", check: emptyValue},
		{promise: "Get appends", check: getAppends},
		{promise: "keys are any bytes", check: anyKey},
		{promise: "values are of any size", check: bigValue},
		{promise: "callers may reuse what they passed", check: callerReuses},
		{promise: "callers may change what they got", check: callerChanges},
		{promise: "DeleteBelow removes what is less", check: deleteBelow},
		{promise: "an empty batch changes nothing", check: emptyBatch},

		{promise: "Range is ordered and bounded", check: rangeBounds},
		{promise: "Range sees the engine as it was", check: rangeSnapshot},
		{promise: "iterators are independent", check: rangeIndependent},

		{promise: "namespaces do not bleed into each other", check: namespacesApart},
		{promise: "positions are kept beside the data", check: positions},
		{promise: "Namespaces lists what has a position", check: namespaces},
		{promise: "Drop removes all of one namespace", check: drop},
		{promise: "Drop of nothing is no error", check: dropNothing},

		{promise: "readers see whole batches", check: wholeBatches},
		{promise: "it can be used concurrently", check: concurrent},
		{promise: "it does what a sorted map does", check: twin},

		{promise: "it is closed once and for all", check: closed, closes: true},
		{promise: "Close reports open iterators", check: leakedIterator, closes: true},
	} {
		t.Run(c.promise, func(t *testing.T) {
			t.Parallel()
			s := subject{t, open(t)}
			c.check(t, s)
			if c.closes {
				return
			}
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}
