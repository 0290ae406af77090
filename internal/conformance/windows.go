package conformance

var windows = family{}
