package conformance

// pending are the scenarios of testdata that nobody has written yet.
var pending = map[string]bool{
	"stream-versioned-table-grace-inner": true,
	"stream-versioned-table-grace-left":  true,
	"suppress-max-records":               true,
	"suppress-session-close":             true,
	"suppress-time-limit":                true,
	"suppress-window-close":              true,
}
