package conformance

// pending are the scenarios of testdata that nobody has written yet.
var pending = map[string]bool{}
