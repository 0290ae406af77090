package instance

import "github.com/leatstream/leat/internal/worker"

// The memory budget is for what waits and what is kept: three sixteenths of it for records
// that were read, an eighth for the keys and values of those that were written and are not
// committed, the rest for the entries of stores. Of that a worker's stores leave to its
// producer what it holds for each record beside key and value. While stores are restored
// the readers of changelogs take what entries do not yet.

// readAhead is how many bytes of records may wait for the tasks.
func (c *Config) readAhead() int64 { return c.MemoryBudget * 3 / 16 }

// unsent is how many bytes of records may wait in a worker's producer: two of any size.
func (c *Config) unsent() int {
	return int(min(max(c.MemoryBudget/8/int64(c.Workers), 2*int64(c.MaxRecord)), 64<<20))
}

// unsentRecords is how many records may wait there: small ones are many, and what a client
// holds for each is more than they are. A twelfth of the memory for entries may go to them:
// they keep brokers busy that take 10 ms and more to answer.
func (c *Config) unsentRecords() int {
	return int(min(max(c.entries()/12/int64(c.Workers)/worker.RecordBytes, leastRecords), mostRecords))
}

const leastRecords, mostRecords = 1 << 13, 1 << 17

// written is how many bytes of records a worker's transaction may have: they stay in memory
// until it has ended. It has the last of any size, too.
func (c *Config) written() int64 { return max(c.MemoryBudget/8/int64(c.Workers), int64(c.MaxRecord)) }

// entries is how many bytes all stores may keep in memory.
func (c *Config) entries() int64 { return c.MemoryBudget * 11 / 16 }

// replayed is how many bytes of changelogs are fetched at a time by each reader, which
// holds twice as much: those of tasks, that of copies and that of global tables.
func (c *Config) replayed() int32 {
	return int32(min(max(c.MemoryBudget/2/(restores+2)/2, 1<<20), 64<<20))
}

// followed is how many bytes one of so many copies may gather before they are written.
func (c *Config) followed(copies int) int {
	return int(min(c.MemoryBudget/8/int64(max(copies, 1)), followBytes))
}
