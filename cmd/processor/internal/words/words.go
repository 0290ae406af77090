// Package words says what a word is, and cuts text into lines that a topic takes.
// It knows nothing of Kafka but that a record has a greatest size.
package words

import (
	"iter"
	"strings"
	"unicode"
)

// All returns the words of text, in lower case. A word is a maximal run of
// letters, digits and apostrophes; anything else separates, also bytes that are
// not UTF-8.
func All(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for word := range strings.FieldsFuncSeq(text, separates) {
			if !yield(strings.ToLower(word)) {
				return
			}
		}
	}
}

// Count returns how many words text has.
func Count(text string) (n int64) {
	for range strings.FieldsFuncSeq(text, separates) {
		n++
	}
	return n
}

// separates reports whether r is outside of words. Invalid UTF-8 is decoded as
// U+FFFD, which is no letter.
func separates(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '\''
}
