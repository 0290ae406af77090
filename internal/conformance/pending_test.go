package conformance

// pending are the scenarios of testdata that nobody has written yet.
var pending = map[string]bool{
	"stream-globaltable-inner":           true,
	"stream-globaltable-left":            true,
	"stream-self-join":                   true,
	"stream-stream-inner-b0-a600-g400":   true,
	"stream-stream-inner-b500-a500-g0":   true,
	"stream-stream-inner-b500-a500-g800": true,
	"stream-stream-inner-b600-a0-g400":   true,
	"stream-stream-left-b0-a600-g400":    true,
	"stream-stream-left-b500-a500-g0":    true,
	"stream-stream-left-b500-a500-g800":  true,
	"stream-stream-left-b600-a0-g400":    true,
	"stream-stream-outer-b0-a600-g400":   true,
	"stream-stream-outer-b500-a500-g0":   true,
	"stream-stream-outer-b500-a500-g800": true,
	"stream-stream-outer-b600-a0-g400":   true,
	"stream-versioned-table-grace-inner": true,
	"stream-versioned-table-grace-left":  true,
	"stream-versioned-table-inner":       true,
	"stream-versioned-table-left":        true,
	"suppress-max-records":               true,
	"suppress-session-close":             true,
	"suppress-time-limit":                true,
	"suppress-window-close":              true,
}
