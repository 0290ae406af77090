package pebble

import (
	"sync"
	"time"

	pebbledb "github.com/cockroachdb/pebble/v2"
)

// A scheduler lets compactions begin, as many at a time as Pebble finds right, but none
// before the engine is open. After a crash Pebble writes what its log has to a table, which
// is often the one that makes a compaction necessary; its Open then begins that, and waits
// until it has ended. A second of merging a million entries would be a second without a
// process.
//
// Otherwise it does what Pebble's own scheduler does, which cannot be had for this.
type scheduler struct {
	db    pebbledb.DBForCompaction
	poked chan struct{} // a compaction may be allowed now
	stop  chan struct{}
	ended sync.WaitGroup

	mu      sync.Mutex
	open    bool
	running int
}

func newScheduler() *scheduler {
	return &scheduler{poked: make(chan struct{}, 1), stop: make(chan struct{})}
}

// grantInterval is how often we ask how many compactions are allowed: it depends on
// flushes, of which we are not told.
const grantInterval = 100 * time.Millisecond

// begin allows compactions: the engine is open.
func (s *scheduler) begin() {
	s.mu.Lock()
	s.open = true
	s.mu.Unlock()
	s.poke()
	s.ended.Go(s.grantAll)
}

func (s *scheduler) grantAll() {
	tick := time.NewTicker(grantInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.poked:
		case <-s.stop:
			return
		}
		for s.take() {
			if waits, _ := s.db.GetWaitingCompaction(); !waits || !s.db.Schedule(s) {
				s.give()
				break
			}
		}
	}
}

// take counts another compaction, if it is allowed.
func (s *scheduler) take() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open || s.running >= s.db.GetAllowedWithoutPermission() {
		return false
	}
	s.running++
	return true
}

func (s *scheduler) give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
}

func (s *scheduler) poke() {
	select {
	case s.poked <- struct{}{}:
	default:
	}
}

// Register is called when the engine is being opened.
func (s *scheduler) Register(_ int, db pebbledb.DBForCompaction) { s.db = db }

// Unregister is called when it is being closed.
func (s *scheduler) Unregister() {
	s.mu.Lock()
	s.open = false
	s.mu.Unlock()
	close(s.stop)
	s.ended.Wait()
}

// TrySchedule is called with Pebble's locks held.
func (s *scheduler) TrySchedule() (bool, pebbledb.CompactionGrantHandle) {
	if !s.take() {
		return false, nil
	}
	return true, s
}

func (s *scheduler) UpdateGetAllowedWithoutPermission() { s.poke() }

// Done is called at the end of each compaction that was allowed.
func (s *scheduler) Done() {
	s.give()
	s.poke()
}

func (s *scheduler) Started()                                            {}
func (s *scheduler) MeasureCPU(pebbledb.CompactionGoroutineKind)         {}
func (s *scheduler) CumulativeStats(pebbledb.CompactionGrantHandleStats) {}
