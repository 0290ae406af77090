package conformance

var tables = family{}
