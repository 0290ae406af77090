package state

import (
	"cmp"
	"slices"
)

// Spans are the segments that may hold entries. There are few of them, however much time
// lies between: what looks for an entry need not go through all the segments that never were.
// They are in order, and between any two there is a segment that holds nothing.
type spans []span

type span struct{ first, last int64 }

// add adds the segments from first to last.
func (s *spans) add(first, last int64) {
	all := *s
	if n := len(all); n > 0 && all[n-1].first <= first && last <= all[n-1].last {
		return
	}
	at := all.reaching(first - 1)
	end := at // of those that become one
	for ; end < len(all) && all[end].first <= last+1; end++ {
		first, last = min(first, all[end].first), max(last, all[end].last)
	}
	*s = slices.Replace(all, at, end, span{first, last})
}

// reaching is the first span that reaches a segment, or begins behind it.
func (s spans) reaching(segment int64) int {
	at, _ := slices.BinarySearchFunc(s, segment, func(s span, segment int64) int { return cmp.Compare(s.last, segment) })
	return at
}

// from is the first segment that may hold something, from one on.
func (s spans) from(segment int64) (next int64, ok bool) {
	at := s.reaching(segment)
	if at == len(s) {
		return 0, false
	}
	return max(segment, s[at].first), true
}

// upTo is the last one, up to a segment.
func (s spans) upTo(segment int64) (next int64, ok bool) {
	at := s.reaching(segment)
	if at < len(s) && s[at].first <= segment {
		return segment, true
	}
	if at == 0 {
		return 0, false
	}
	return s[at-1].last, true
}

// drop takes out the segments below one.
func (s *spans) drop(below int64) {
	*s = slices.Delete(*s, 0, s.reaching(below))
	if len(*s) > 0 {
		(*s)[0].first = max((*s)[0].first, below)
	}
}

// HeldFrom is the first segment from one on that may hold entries; ok is false if there is
// none.
func (s *Store) HeldFrom(segment int64) (next int64, ok bool) { return s.held.from(segment) }

// HeldUpTo is the last segment up to one that may hold entries; ok is false if there is none.
func (s *Store) HeldUpTo(segment int64) (next int64, ok bool) { return s.held.upTo(segment) }
