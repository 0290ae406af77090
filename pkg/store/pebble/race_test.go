//go:build race

package pebble

// stride is more than one because the race detector is slow.
const stride = 10
