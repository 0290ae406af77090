package engine

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestInOrder: what is left of random changes is what a map is left with, in order.
func TestInOrder(t *testing.T) {
	t.Parallel()
	first := rand.Uint64()
	for seed := first; seed < first+2000; seed++ {
		rng := rand.New(rand.NewPCG(seed, 0))
		prefix := make([]byte, rng.IntN(12))
		left := map[string]string{}
		var ops []Op
		for i := range rng.IntN(60) {
			key := slices.Clone(prefix)
			for range rng.IntN(12) {
				key = append(key, []byte{0, 'a', 0xff}[rng.IntN(3)])
			}
			ops = append(ops, Op{Set, Namespace{}, key, fmt.Append(nil, i)})
			left[string(key)] = fmt.Sprint(i)
		}
		var got, want []string
		for i := range InOrder(ops) {
			got = append(got, fmt.Sprintf("%q=%s", ops[i].Key, ops[i].Value))
		}
		for _, key := range slices.Sorted(maps.Keys(left)) {
			want = append(want, fmt.Sprintf("%q=%s", key, left[key]))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: got %v, want %v", seed, got, want)
		}
	}
}
