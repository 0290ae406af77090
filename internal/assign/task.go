package assign

import (
	"cmp"
	"fmt"
)

// A Task is the unit that is assigned: one partition of one sub-topology.
type Task struct {
	Sub       int
	Partition int32
}

// String names the task as Kafka Streams does: sub-topology, underscore,
// partition.
func (t Task) String() string { return fmt.Sprintf("%d_%d", t.Sub, t.Partition) }

// Compare orders tasks by sub-topology, then by partition.
func (t Task) Compare(o Task) int {
	return cmp.Or(cmp.Compare(t.Sub, o.Sub), cmp.Compare(t.Partition, o.Partition))
}
