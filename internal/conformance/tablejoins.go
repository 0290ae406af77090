package conformance

var tableJoins = family{}
