// Package failpoint names the moments of a commit at which a crash is worth
// testing. A build without the tag "failpoints" has no way to arm one from
// outside.
package failpoint

import "errors"

// A Point is a moment of a commit.
type Point string

const (
	Flushed   Point = "flushed"    // every record is acknowledged; no offsets yet
	Offsets   Point = "offsets"    // the offsets are in the transaction
	EndSent   Point = "end-sent"   // EndTxn is on its way
	Ended     Point = "ended"      // EndTxn is answered; local state does not know yet
	EngineSet Point = "engine-set" // a batch was written to the engine
)

// ErrCrash is what a hook returns to have the process dropped as a crash would drop
// it: nothing is committed, aborted or told to anybody.
var ErrCrash = errors.New("crash")

// Points are all of them, in the order of a commit.
var Points = []Point{Flushed, Offsets, EndSent, Ended, EngineSet}

// A Hook is called at a point. It returns nil or ErrCrash. A nil Hook does nothing.
type Hook func(Point) error

// Hit calls the hook, if there is one.
func (h Hook) Hit(p Point) error {
	if h == nil {
		return nil
	}
	return h(p)
}
