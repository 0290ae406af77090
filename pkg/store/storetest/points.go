package storetest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/leatstream/leat/internal/engine"
)

func missing(t *testing.T, s subject) {
	s.wantGet(first, "a", "-")
	s.write(set(first, "ab", "1"))
	s.wantGet(first, "ab", `"1"`)
	for _, key := range []string{"", "a", "aa", "abc", "ac", "b"} {
		s.wantGet(first, key, "-")
	}
	s.wantGet(engine.Namespace{Store: "other"}, "ab", "-")
}

func lastWrite(t *testing.T, s subject) {
	s.write(set(first, "a", "1"), set(first, "b", "1"), set(first, "c", "1"))
	s.write(set(first, "a", "2"), del(first, "b"), del(first, "none"))
	s.wantGet(first, "a", `"2"`)
	s.wantGet(first, "b", "-")
	s.wantGet(first, "c", `"1"`)
	s.write(set(first, "b", "3"))
	s.wantGet(first, "b", `"3"`)

	s.write(set(first, "d", "1"), del(first, "d"), set(first, "d", "2"), set(first, "e", "1"), del(first, "e"))
	s.wantGet(first, "d", `"2"`)
	s.wantGet(first, "e", "-")
	s.wantAll(first, entry("a", "2"), entry("b", "3"), entry("c", "1"), entry("d", "2"))
}

func emptyValue(t *testing.T, s subject) {
	s.write(set(first, "empty", ""), func(b *engine.Batch) { b.Set(first, []byte("nil"), nil) })
	s.wantGet(first, "empty", `""`)
	s.wantGet(first, "nil", `""`)
	s.wantGet(first, "missing", "-")
	s.wantAll(first, entry("empty", ""), entry("nil", ""))
	s.write(del(first, "empty"))
	s.wantGet(first, "empty", "-")
}

func getAppends(t *testing.T, s subject) {
	s.write(set(first, "a", "value"), set(first, "empty", ""))
	for _, c := range []struct {
		key  string
		room int
		want string
	}{{"a", 0, "dst:value"}, {"a", 100, "dst:value"}, {"empty", 0, "dst:"}, {"missing", 0, "dst:"}} {
		dst := append(make([]byte, 0, 4+c.room), "dst:"...)
		got, _, err := s.Get(first, []byte(c.key), dst)
		if err != nil || string(got) != c.want || string(dst) != "dst:" {
			t.Errorf("Get(%s) into %q gives %q, %v, want %q", c.key, dst, got, err, c.want)
		}
	}
}

func anyKey(t *testing.T, s subject) {
	keys := []string{ // in order
		"", "\x00", "\x00\x00", "\x00\x00\x00\x01", "\x00\xff", "\x01", "a", "a\x00", "a\x00b", "\xff", "\xff\x00",
		"\xff\xff\xff\xff\xff\xff\xff\xff",
	}
	var want []string
	for i := len(keys) - 1; i >= 0; i-- {
		s.write(set(first, keys[i], "value of "+keys[i]))
	}
	for _, key := range keys {
		want = append(want, entry(key, "value of "+key))
		s.write(set(first, key, "value of "+key))
	}
	s.wantAll(first, want...)
	s.write(del(first, ""), del(first, "\x00"), del(first, keys[len(keys)-1]))
	s.wantAll(first, want[2:len(want)-1]...)
}

func bigValue(t *testing.T, s subject) {
	big, key := strings.Repeat("big", 60_000), strings.Repeat("k", 2000)
	s.write(set(first, key, big), set(first, "a", "small"))
	got, ok, err := s.Get(first, []byte(key), nil)
	if err != nil || !ok || string(got) != big {
		t.Errorf("Get of %d bytes: %d bytes, %v, %v", len(big), len(got), ok, err)
	}
	s.wantAll(first, entry("a", "small"), entry(key, big))
}

// callerReuses writes with the same few bytes again and again, as a caller
// with scratch buffers does.
func callerReuses(t *testing.T, s subject) {
	key, value := []byte("k0"), []byte("v0")
	var b engine.Batch
	for i := byte('0'); i < '5'; i++ {
		key[1], value[1] = i, i
		b.Set(first, key, value)
		b.SetPosition(first, position(int64(i)))
		if err := s.Write(&b); err != nil {
			t.Fatal(err)
		}
		b.Reset()
	}
	key[1], value[1] = '!', '!'
	lo, hi := []byte("k1"), []byte("k3")
	it := s.iterate(first, lo, hi, false)
	lo[1], hi[1] = '9', '0'
	if got := strings.Join(s.collect(it), " "); got != `"k1"="v1" "k2"="v2"` {
		t.Errorf("Range = %s", got)
	}
	s.wantAll(first, entry("k0", "v0"), entry("k1", "v1"), entry("k2", "v2"), entry("k3", "v3"), entry("k4", "v4"))
	s.wantPosition(first, position('4'), true)
}

func callerChanges(t *testing.T, s subject) {
	s.write(set(first, "a", "value"), set(first, "b", "value"))
	got, _, err := s.Get(first, []byte("a"), nil)
	if err != nil {
		t.Fatal(err)
	}
	copy(got, bytes.Repeat([]byte("!"), 5))
	s.wantAll(first, entry("a", "value"), entry("b", "value"))
}

func emptyBatch(t *testing.T, s subject) {
	s.write()
	s.wantAll(first)
	s.wantNamespaces()
}

func deleteBelow(t *testing.T, s subject) {
	below := func(ns engine.Namespace, key string) edit {
		return func(b *engine.Batch) { b.DeleteBelow(ns, []byte(key)) }
	}
	second := engine.Namespace{Store: first.Store, Partition: first.Partition - 1}
	s.write(set(first, "", "0"), set(first, "a", "1"), set(first, "b", "2"), set(second, "a", "other"))
	s.write(below(first, ""))
	s.wantGet(first, "", `"0"`)
	s.write(set(first, "aa", "3"), below(first, "b"), set(first, "a", "4"))
	s.wantAll(first, entry("a", "4"), entry("b", "2"))
	s.wantAll(second, entry("a", "other"))
}
