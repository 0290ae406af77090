package instance

// The memory budget is for what waits and what is kept: a quarter of it for records that
// were read, an eighth for those on their way to the brokers, the rest for the entries of
// stores. While stores are restored the readers of changelogs take what entries do not yet.

// readAhead is how many bytes of records may wait for the tasks.
func (c *Config) readAhead() int64 { return c.MemoryBudget / 4 }

// unsent is how many bytes of records may wait in a worker's producer: two of any size.
func (c *Config) unsent() int {
	return int(min(max(c.MemoryBudget/8/int64(c.Workers), 2*int64(c.MaxRecord)), 64<<20))
}

// entries is how many bytes all stores may keep in memory.
func (c *Config) entries() int64 { return c.MemoryBudget * 5 / 8 }

// replayed is how many bytes of a changelog are fetched at a time, by each reader.
func (c *Config) replayed() int32 {
	return int32(min(max(c.MemoryBudget/2/restores, 1<<20), 64<<20))
}
