package worker

import (
	"testing"

	"github.com/leatstream/leat/internal/task"
)

// holding is a client in which something waits.
type holding struct {
	Client
	records, bytes int64
}

func (h holding) BufferedProduceRecords() int64 { return h.records }
func (h holding) BufferedProduceBytes() int64   { return h.bytes }

// A producer is full when what is sent next may have to wait: for room for records, or for bytes.
func TestFull(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		records, bytes int64
		out            int
		full           bool
	}{
		{98, 10, 2, false},
		{99, 10, 2, true},
		{1, 750, 1, false},
		{1, 751, 1, true},
		{100, 1000, 0, false},
	} {
		p := &producer{cl: holding{records: c.records, bytes: c.bytes}, most: 100, room: 1000}
		if got := p.full(make([]task.Output, c.out)); got != c.full {
			t.Errorf("%d more to %d records of %d bytes: full %v", c.out, c.records, c.bytes, got)
		}
	}
}
