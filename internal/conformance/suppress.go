package conformance

var suppressions = family{}
