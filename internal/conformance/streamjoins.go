package conformance

var streamJoins = family{}
