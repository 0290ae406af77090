package demo

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
)

// An Entry is one word with its count.
type Entry struct {
	Word  string
	Count int64
}

// A tally is the table that the output topic holds: the last count of each word.
type tally struct {
	counts map[string]int64
	sum    int64
}

func (t *tally) set(word string, count int64) {
	t.sum += count - t.counts[word]
	t.counts[word] = count
}

// entries are the table by count, the greatest first, then by the bytes of the
// word.
func (t *tally) entries() []Entry {
	es := make([]Entry, 0, len(t.counts))
	for word, count := range t.counts {
		es = append(es, Entry{word, count})
	}
	slices.SortFunc(es, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Word, b.Word))
	})
	return es
}

// WriteTable writes entries as lines of word, tab, count.
func WriteTable(out io.Writer, entries []Entry) error {
	w := bufio.NewWriter(out)
	for _, e := range entries {
		fmt.Fprintf(w, "%s\t%d\n", e.Word, e.Count)
	}
	return w.Flush()
}
