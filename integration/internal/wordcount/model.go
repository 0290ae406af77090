// Package wordcount writes lines for a topology that counts their words, knows what the counts must be, and checks what
// they are.
package wordcount

import (
	"fmt"
	"maps"
	"strings"
)

// Counts say how often each word was seen.
type Counts map[string]int64

// Add counts the words of a line.
func (c Counts) Add(line string) {
	for _, word := range strings.Fields(line) {
		c[word]++
	}
}

// Total is how many words were seen.
func (c Counts) Total() (n int64) {
	for v := range maps.Values(c) {
		n += v
	}
	return n
}

// Diff returns some of the words for which ok does not hold, as an error.
func (c Counts) Diff(got Counts, ok func(want, got int64) bool) error {
	var wrong []string
	for word, n := range c {
		if !ok(n, got[word]) {
			wrong = append(wrong, fmt.Sprintf("%s: %d instead of %d", word, got[word], n))
		}
	}
	for word, n := range got {
		if _, known := c[word]; !known {
			wrong = append(wrong, fmt.Sprintf("%s: %d, but it was never written", word, n))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d words are wrong: %s", len(wrong), len(c), strings.Join(wrong[:min(len(wrong), 10)], "; "))
}

// Equal and AtLeast are relations for Diff.
func Equal(want, got int64) bool { return got == want }

// AtLeast allows for repetitions.
func AtLeast(want, got int64) bool { return got >= want }
