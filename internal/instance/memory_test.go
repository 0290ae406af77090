package instance

import (
	"testing"

	"github.com/leatstream/leat/internal/worker"
)

// TestShares: the parts of a budget are no more than the whole, unless the largest records
// or the least that a producer works with need it.
func TestShares(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 2, 16} {
		for budget := int64(32 << 20); budget <= 16<<30; budget *= 2 {
			c := Config{MemoryBudget: budget, Workers: workers, MaxRecord: 1 << 10}
			if sum := c.readAhead() + int64(workers)*c.written() + c.entries(); sum > budget {
				t.Errorf("%d bytes, %d workers: %d are shared out", budget, workers, sum)
			}
			records := int64(c.unsentRecords())
			if taken := int64(workers) * records * worker.RecordBytes; taken > c.entries()/12 && records > leastRecords {
				t.Errorf("%d bytes, %d workers: records on their way take %d of the %d for entries", budget, workers, taken, c.entries())
			}
			if records < leastRecords || budget >= 4<<30 && workers == 1 && records < 1<<17 {
				t.Errorf("%d bytes, %d workers: %d records may be on their way", budget, workers, records)
			}
		}
	}
}
