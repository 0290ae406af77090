package instance

import "time"

// A tide is where a log has ended and when it did, or a little earlier. What comes behind
// that end was written later: who has read up to there lacks no deletion that is older, and
// compaction keeps the younger ones for a while.
type tide struct {
	end int64
	at  time.Time
}

// reached returns the time at which the position next was last known to be current: that
// of the tide if it is up to there, and else what it was.
func (t tide) reached(next, was int64) int64 {
	if next < t.end {
		return was
	}
	return t.at.UnixMilli()
}

// follow is reached for who reads on, and is told by each batch where the log ends now:
// then that is what comes to be reached next.
func (t *tide) follow(next, end, was int64) int64 {
	if next < t.end {
		return was
	}
	was = t.at.UnixMilli()
	*t = tide{end, time.Now()}
	return t.reached(next, was)
}
