package registry

import (
	"context"
	"encoding/json/jsontext"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/leatstream/leat/pkg/serde"
)

func verbose(ctx context.Context) context.Context { return sr.WithParams(ctx, sr.Verbose) }

const (
	maxCompared = 500 // lines
	maxShown    = 60
)

// difference shows by lines what makes of one schema the other: - is only in theirs, +
// only in ours.
func difference(theirs, ours serde.Schema) string {
	a, b := lines(theirs), lines(ours)
	if len(a) > maxCompared || len(b) > maxCompared {
		return fmt.Sprintf("  (too long to compare: %d and %d lines)", len(a), len(b))
	}
	var out []string
	for common := longest(a, b); len(a) > 0 || len(b) > 0; {
		switch i, j := len(common)-len(a)-1, len(common[0])-len(b)-1; {
		case len(a) > 0 && len(b) > 0 && a[0] == b[0]:
			a, b = a[1:], b[1:]
		case len(b) == 0, len(a) > 0 && common[i+1][j] >= common[i][j+1]:
			out, a = append(out, "  - "+a[0]), a[1:]
		default:
			out, b = append(out, "  + "+b[0]), b[1:]
		}
	}
	if len(out) == 0 {
		return "  (none in the text)"
	}
	if more := len(out) - maxShown; more > 0 {
		out = append(out[:maxShown], fmt.Sprintf("  (%d more lines)", more))
	}
	return strings.Join(out, "\n")
}

// longest holds, for every two ends of a and b, the length of the longest sequence that
// both have.
func longest(a, b []string) [][]int {
	n := make([][]int, len(a)+1)
	for i := range n {
		n[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				n[i][j] = n[i+1][j+1] + 1
			} else {
				n[i][j] = max(n[i+1][j], n[i][j+1])
			}
		}
	}
	return n
}

// lines is a schema with one thing to a line.
func lines(s serde.Schema) []string {
	text := jsontext.Value(s.Text)
	if s.Type != serde.ProtobufSchema && text.Indent(jsontext.WithIndent("  ")) == nil {
		return strings.Split(string(text), "\n")
	}
	return strings.Split(strings.TrimSpace(s.Text), "\n")
}
