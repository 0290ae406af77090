package murmur

import "testing"

// The values are those of the test of Kafka's own Utils.murmur2.
func TestHash(t *testing.T) {
	for key, want := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string": -1486304829, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		if got := int32(Hash([]byte(key))); got != want {
			t.Errorf("Hash(%q) = %d, want %d", key, got, want)
		}
	}
}
