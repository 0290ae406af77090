// Package avro compares leat's Avro codecs with other libraries for Go. It is a module
// of its own, so that leat does not depend on them.
package avro
