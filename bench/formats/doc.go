// Package formats compares leat's serdes of JSON, Protobuf, JSON Schema and of a registry
// with other libraries for Go. It is a module of its own, so that leat does not depend on
// them.
package formats

import _ "github.com/planetscale/vtprotobuf/generator" // of the code in orderpb
