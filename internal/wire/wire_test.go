package wire

import (
	"bytes"
	"encoding/hex"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// bytesOf is a field of the golden file: "-" is null.
func bytesOf(s string) []byte {
	if s == "-" {
		return nil
	}
	return append([]byte{}, s...)
}

// The golden file is Kafka Streams' own output: see testdata/java.
func TestGolden(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		kind, want := f[0], f[len(f)-1]
		raw, err := hex.DecodeString(want)
		if err != nil {
			t.Fatal(err)
		}
		f = f[1 : len(f)-1]
		seen[kind]++
		if got := hex.EncodeToString(golden[kind](t, f, raw)); got != want {
			t.Errorf("%s %q\ngot  %s\nwant %s", kind, f, got, want)
		}
	}
	for kind := range golden {
		if seen[kind] == 0 {
			t.Errorf("no golden %s", kind)
		}
	}
}

// golden encodes the fields of a line, and checks that its bytes decode to them.
var golden = map[string]func(t *testing.T, f []string, raw []byte) []byte{
	"change": func(t *testing.T, f []string, raw []byte) []byte {
		old, now, err := Change(raw)
		same(t, old, bytesOf(f[0]), err)
		same(t, now, bytesOf(f[1]), err)
		return AppendChange(nil, bytesOf(f[0]), bytesOf(f[1]))
	},
	"hash": func(t *testing.T, f []string, _ []byte) []byte {
		b, err := hex.DecodeString(f[0])
		if err != nil {
			t.Fatal(err)
		}
		h := HashOf(b)
		return h.sum[:]
	},
	"subscription": func(t *testing.T, f []string, raw []byte) []byte {
		in, _ := strconv.Atoi(f[0])
		s := Subscription{HashOf(bytesOf(f[1])), Instruction(in), bytesOf(f[2]), -1}
		if p, err := strconv.Atoi(f[3]); err == nil {
			s.Partition = int32(p)
		}
		got, err := ParseSubscription(raw)
		same(t, got.Key, s.Key, err)
		if got.Hash != s.Hash || got.Instruction != s.Instruction || got.Partition != s.Partition {
			t.Errorf("got  %+v\nwant %+v", got, s)
		}
		if s.Partition < 0 { // an older version, which is only read
			return raw
		}
		return AppendSubscription(nil, s)
	},
	"response": func(t *testing.T, f []string, raw []byte) []byte {
		h, value, err := ParseResponse(raw)
		same(t, value, bytesOf(f[1]), err)
		if h != HashOf(bytesOf(f[0])) {
			t.Errorf("hash %v of %q", h, f[0])
		}
		return AppendResponse(nil, HashOf(bytesOf(f[0])), bytesOf(f[1]))
	},
	"key": func(t *testing.T, f []string, raw []byte) []byte {
		foreign, left, err := SubscriptionKey(raw)
		same(t, foreign, bytesOf(f[0]), err)
		same(t, left, bytesOf(f[1]), err)
		return AppendSubscriptionKey(nil, bytesOf(f[0]), bytesOf(f[1]))
	},
	"buffered": buffered,
	"prefix": func(_ *testing.T, f []string, _ []byte) []byte {
		return AppendSubscriptionKey(nil, bytesOf(f[0]), nil)
	},
}

// buffered is what a line about a suppression's buffer says, with the key "key".
func buffered(t *testing.T, f []string, raw []byte) []byte {
	t.Helper()
	c := Context{Time: 1700000000123, Offset: 42, Partition: 3, Topic: f[3]}
	for h := range strings.SplitSeq(f[4], ",") {
		if key, value, ok := strings.Cut(h, "="); ok {
			c.Headers = append(c.Headers, Header{key, []byte(value)})
		} else if h != "-" {
			c.Headers = append(c.Headers, Header{Key: h})
		}
	}
	want := Buffered{AppendContext(nil, c), bytesOf(f[0]), bytesOf(f[1]), bytesOf(f[2]), 77}
	got, err := ParseBuffered(raw)
	for _, v := range [][2][]byte{{got.Context, want.Context}, {got.Prior, want.Prior}, {got.Old, want.Old}, {got.New, want.New}} {
		same(t, v[0], v[1], err)
	}
	if at, err := BufferedAt(raw); got.At != 77 || at != 77 || err != nil {
		t.Errorf("time %d, %d, %v", got.At, at, err)
	}
	if back, err := ParseContext(got.Context); err != nil || !reflect.DeepEqual(back, c) {
		t.Errorf("context %+v, %v", back, err)
	}
	if size := strconv.FormatInt(got.Size([]byte("key")), 10); size != f[5] {
		t.Errorf("%q counts as %s bytes, want %s", f, size, f[5])
	}
	return AppendBuffered(nil, want)
}

func same(t *testing.T, got, want []byte, err error) {
	t.Helper()
	if err != nil || !bytes.Equal(got, want) || (got == nil) != (want == nil) {
		t.Errorf("got %q, want %q, %v", got, want, err)
	}
}

// No bytes make a decoder panic, and what it accepts is what was encoded.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{6, 'n', 'e', 'w', 'o', 2})
	f.Add([]byte{0x81, 2, 'k', 0, 0, 0, 1})
	f.Add([]byte{0x80, 'r'})
	f.Add([]byte{0, 0, 0, 1, 'f', 'l'})
	f.Fuzz(func(t *testing.T, b []byte) {
		if old, now, err := Change(b); err == nil {
			old2, now2, err := Change(AppendChange(nil, old, now))
			same(t, old2, old, err)
			same(t, now2, now, err)
		}
		if s, err := ParseSubscription(b); err == nil && b[0]&version == 1 {
			same(t, AppendSubscription(nil, s), b, nil)
		}
		if v, err := ParseBuffered(b); err == nil {
			again, err := ParseBuffered(AppendBuffered(nil, v))
			same(t, again.New, v.New, err)
			same(t, again.Old, v.Old, err)
			same(t, again.Prior, v.Prior, err)
			_ = v.Size(nil)
			_, _ = ParseContext(v.Context)
		}
		if h, v, err := ParseResponse(b); err == nil {
			same(t, AppendResponse(nil, h, v), b, nil)
		}
		if k, l, err := SubscriptionKey(b); err == nil {
			same(t, AppendSubscriptionKey(nil, k, l), b, nil)
		}
	})
}
