package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
)

// What a packed cache has of a key is what was put last, whatever went meanwhile, and it
// never takes more memory than it may.
func TestPackedAgainstTwin(t *testing.T) {
	t.Parallel()
	for range 8 {
		seed := rand.Uint64()
		rnd := rand.New(rand.NewPCG(seed, 1))
		p, twin := packed{most: 100_000}, map[string][]byte{}
		met := 0
		for range 50_000 {
			key := fmt.Appendf(nil, "k%d", rnd.IntN(5000))
			h := hash(key)
			switch n := rnd.IntN(1000); {
			case n == 0:
				p.limit(int64(rnd.IntN(150_000)))
			case n < 400:
				raw := bytes.Repeat([]byte{byte(n)}, 8+rnd.IntN(3)*rnd.IntN(12))
				if rnd.IntN(100) == 0 {
					raw = make([]byte, 2*segmentBytes)
				}
				p.put(h, key, raw)
				twin[string(key)] = raw
			case n < 450:
				p.remove(h, key)
				delete(twin, string(key))
			default:
				got := p.get(h, key)
				if got != nil && !bytes.Equal(got, twin[string(key)]) {
					t.Fatalf("seed %d: %s is %q, not %q", seed, key, got, twin[string(key)])
				}
				if got != nil {
					met++
				}
			}
			if p.bytes() > p.most {
				t.Fatalf("seed %d: %d bytes, and %d are allowed", seed, p.bytes(), p.most)
			}
		}
		if met < 1000 {
			t.Errorf("seed %d: %d keys were found", seed, met)
		}
	}
}

// A packed entry takes little more than its bytes, and what is still of use outlives what
// is not.
func TestPackedHoldsMany(t *testing.T) {
	t.Parallel()
	p := packed{most: 1 << 20}
	key := func(n int) []byte { return fmt.Appendf(nil, "k%08d", n) }
	put := func(n int) { k := key(n); p.put(hash(k), k, make([]byte, stampSize+8)) }
	for n := range 100_000 {
		put(n)
		if n%10 == 0 {
			put(n / 10 % 1000)
		}
	}
	found, used := 0, 0
	for n := range 100_000 {
		if k := key(n); p.get(hash(k), k) != nil {
			if found++; n < 1000 {
				used++
			}
		}
	}
	if found < 22_000 {
		t.Errorf("a MiB holds %d entries of 25 bytes", found)
	}
	if used < 950 {
		t.Errorf("of 1000 that are in use %d are left", used)
	}
}

func TestPackedPutDoesNotAllocate(t *testing.T) {
	p := packed{most: 1 << 18}
	key, raw := make([]byte, 8), make([]byte, 16)
	n := uint64(0)
	put := func() {
		for range 100 {
			n++
			binary.BigEndian.PutUint64(key, n)
			p.put(hash(key), key, raw)
		}
	}
	for range 1000 {
		put()
	}
	if n := testing.AllocsPerRun(100, put); n > 0 {
		t.Errorf("%v allocations per 100 entries", n)
	}
}
