package service

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/streams"
)

func TestBarText(t *testing.T) {
	t.Parallel()
	half := streams.RestoreProgress{From: 100, At: 150, To: 200, Records: 50, Bytes: 3 << 20, Took: 10 * time.Second}
	begun := streams.RestoreProgress{From: 0, At: 0, To: 300}
	empty := streams.RestoreProgress{From: 7, At: 7, To: 7}
	done := streams.RestoreProgress{From: 0, At: 9, To: 9, Records: 9, Bytes: 9, Took: time.Second, Done: true}
	ended := half
	ended.At = ended.To
	bar := func(full int) string {
		return "restoring [" + strings.Repeat("#", full) + strings.Repeat(".", 30-full) + "] "
	}
	for _, c := range []struct {
		name string
		all  []streams.RestoreProgress
		want string
	}{
		{"nothing", nil, ""},
		{"all are done", []streams.RestoreProgress{done, done}, ""},
		{"half of one", []streams.RestoreProgress{half, done}, bar(15) + "50% of 1 store partitions, 3.0 MiB, 5 records/s, 10s left"},
		{"two", []streams.RestoreProgress{half, begun}, bar(3) + "12% of 2 store partitions, 3.0 MiB, 5 records/s, 10s left"},
		{"nothing to restore", []streams.RestoreProgress{empty}, bar(0) + "0% of 1 store partitions, 0.0 MiB, 0 records/s, 0s left"},
		{"at the end", []streams.RestoreProgress{ended}, bar(30) + "100% of 1 store partitions, 3.0 MiB, 5 records/s, 0s left"},
	} {
		if got := barText(c.all); got != c.want {
			t.Errorf("%s:\ngot  %q\nwant %q", c.name, got, c.want)
		}
	}
}

// The bar is drawn over itself, taken away once when all is done, and left alone after that.
func TestBar(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if restoreBar(&out) != nil {
		t.Error("there is a bar for what is no terminal")
	}
	b := &bar{out: &out}
	live := []streams.RestoreProgress{{To: 10}}
	const over = "\r\x1b[K"
	for i, step := range []struct {
		all  []streams.RestoreProgress
		want string
	}{{nil, ""}, {live, over + barText(live)}, {live, over + barText(live)}, {nil, over}, {nil, ""}} {
		out.Reset()
		if b.show(step.all); out.String() != step.want {
			t.Errorf("step %d: %q, want %q", i, out.String(), step.want)
		}
	}
}
