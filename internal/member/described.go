package member

import "github.com/leatstream/leat/internal/assign"

// Standbys reads, from the user data of a described member's assignment, the tasks whose
// state it follows without running them, and those of them that are to move to it.
func Standbys(assignment []byte) (standby, warming []assign.Task, err error) {
	d, err := decodeAssignment(assignment, dataVersion)
	return d.standby, d.warming, err
}

// Held reads, from the user data of a described member's metadata, what it had of tasks'
// state when it last joined, as positions in their changelogs added up.
func Held(metadata []byte) (map[assign.Task]int64, error) {
	d, err := decodeMember(metadata, dataVersion)
	return d.held, err
}
