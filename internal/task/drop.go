package task

// Drop is why a record had no effect.
type Drop int8

const (
	DropNullKey     Drop = iota // a verb that needs a key met a record without one
	DropNullValue               // a verb that needs a value met a record without one
	DropLate                    // the record's window had closed
	DropDecode                  // undecodable, and the policy is to skip
	DropProcess                 // user code failed, and the policy is to skip
	DropDeadLetter              // failed, and written to the dead-letter topic
	DropStale                   // the row that an answer of a foreign-key join is for has changed since
	DropPast                    // an older version of a row changed, which the operator does not mind
	DropPartitioner             // the topic's partitioner chose no partition
	DropExpired                 // a window had left its store before it could be emitted
	DropTimestamp               // no valid timestamp, and the source says to skip
	DropRefused                 // the brokers refused what it caused, and the policy is to skip
	// DropReasons is how many reasons there are.
	DropReasons
)

var dropNames = [DropReasons]string{"null_key", "null_value", "late", "undecodable", "failed", "dead_letter", "stale", "past", "partitioner", "expired", "invalid_timestamp", "refused"}

func (d Drop) String() string { return dropNames[d] }

// Drops counts dropped records by reason.
type Drops [DropReasons]int64

// Failed is how many records a policy passed over.
func (d *Drops) Failed() int64 {
	return d[DropDecode] + d[DropProcess] + d[DropRefused] + d[DropDeadLetter]
}

// Each calls fn for every reason that was met.
func (d *Drops) Each(fn func(reason Drop, n int64)) {
	for reason, n := range d {
		if n > 0 {
			fn(Drop(reason), n)
		}
	}
}
