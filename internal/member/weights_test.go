package member

import (
	"fmt"
	"maps"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/assign"
)

func TestCoarse(t *testing.T) {
	t.Parallel()
	for w, want := range map[int64]int64{-1: 0, 0: 0, 1: 1, 7: 7, 8: 8, 9: 10, 17: 16, 19: 20, 250: 256, 1000: 1024, 1100: 1024, 1200: 1280, 1 << 50: 1 << 30} {
		if got := coarse(w); got != want {
			t.Errorf("%d became %d, want %d", w, got, want)
		}
	}
	for w := range int64(5000) {
		if d := coarse(w) - w; 8*max(d, -d) > w {
			t.Errorf("%d became %d", w, coarse(w))
		}
	}
}

func TestTell(t *testing.T) {
	t.Parallel()
	moved, steady, grown, fresh, idle := assign.Task{Sub: 0}, assign.Task{Sub: 1}, assign.Task{Sub: 2}, assign.Task{Sub: 3}, assign.Task{Sub: 4}
	told := map[assign.Task]int64{moved: 700, steady: 448, grown: 448, {Sub: 9}: 1}
	measured := map[assign.Task]int64{steady: 550, grown: 600, fresh: 33, {Sub: 8}: 1}
	got := tell(tasks{moved: nil, steady: nil, grown: nil, fresh: nil, idle: nil}, told, measured)
	if want := (map[assign.Task]int64{moved: 700, steady: 448, grown: 640, fresh: 32}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A scales measures what it is told to.
type scales struct {
	mu sync.Mutex
	by map[assign.Task]int64
}

func (s *scales) weights() map[assign.Task]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.by)
}

func (s *scales) set(weight func(assign.Task) int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by = map[assign.Task]int64{}
	for p := range int32(6) {
		t := assign.Task{Sub: 0, Partition: p}
		s.by[t] = weight(t)
	}
}

func (s *scales) config(_ *process, cfg *Config) { cfg.Weights = s.weights }

// total is what the stateful tasks of a process weigh.
func (s *scales) total(p *process) (n int64) {
	for t, w := range s.weights() {
		if _, ok := p.Claim(t); ok {
			n += w
		}
	}
	return n
}

// Two heavy tasks part at the next rebalance, whoever asks for it; those after it change
// nothing, though weights waver. What a task weighs is known when who ran it has died.
func TestHeavyTasksPart(t *testing.T) {
	inCluster(t, func(c *cluster) {
		var s scales
		a, b := c.start("a", s.config), c.start("b", s.config)
		time.Sleep(settled)
		s.set(func(t assign.Task) int64 {
			if _, ok := a.Claim(t); ok {
				return 900
			}
			return 100
		})
		a.Rebalance()
		time.Sleep(settled)
		if got, other := s.total(a), s.total(b); max(got, other) > 2000 {
			t.Errorf("a has %d, b has %d", got, other)
		}
		owned := fmt.Sprint(a.owns(), b.owns())
		for i := range int64(4) {
			s.mu.Lock()
			for t, w := range s.by {
				s.by[t] = w + w*(i%3-1)/10
			}
			s.mu.Unlock()
			b.Rebalance()
			time.Sleep(settled)
		}
		expect(t, "after further rebalances", fmt.Sprint(a.owns(), b.owns()), owned)

		d := c.start("d") // which has never measured anything
		time.Sleep(settled)
		a.Close()
		time.Sleep(settled)
		if got, other := s.total(b), s.total(d); max(got, other) > 2000 {
			t.Errorf("after a has died, b has %d and d has %d", got, other)
		}
	})
}
