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

// Diff returns some of the words that were not counted as often as got says, as an error.
func (c Counts) Diff(got Counts, g Guarantee) error {
	var wrong []string
	for word, n := range c {
		if got[word] < n || got[word] > n && g == ExactlyOnce {
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

// A Guarantee is what crashes may do to counts, as a configuration spells it.
type Guarantee string

const (
	ExactlyOnce Guarantee = "exactly_once"
	AtLeastOnce Guarantee = "at_least_once" // they may repeat some
)
