package avro

import "strconv"

// appendCanonical appends the parsing canonical form of n. A type in defined is
// written by its name only.
func appendCanonical(b []byte, n *node, defined map[string]bool) []byte {
	if n.kind.named() {
		if defined[n.name] {
			return append(append(append(b, '"'), n.name...), '"')
		}
		defined[n.name] = true
		b = append(b, `{"name":"`...)
		b = append(b, n.name...)
		b = append(b, `","type":"`...)
		b = append(b, n.kind.String()...)
		b = append(b, '"')
	}
	switch n.kind {
	case kindFixed:
		b = append(b, `,"size":`...)
		b = append(strconv.AppendInt(b, int64(n.size), 10), '}')
	case kindEnum:
		b = append(b, `,"symbols":[`...)
		for i, s := range n.symbols {
			b = append(append(append(separate(b, i), '"'), s...), '"')
		}
		b = append(b, "]}"...)
	case kindRecord:
		b = append(b, `,"fields":[`...)
		for i, f := range n.fields {
			b = append(separate(b, i), `{"name":"`...)
			b = append(b, f.name...)
			b = append(b, `","type":`...)
			b = append(appendCanonical(b, f.node, defined), '}')
		}
		b = append(b, "]}"...)
	case kindArray:
		b = append(appendCanonical(append(b, `{"type":"array","items":`...), n.item, defined), '}')
	case kindMap:
		b = append(appendCanonical(append(b, `{"type":"map","values":`...), n.item, defined), '}')
	case kindUnion:
		b = append(b, '[')
		for i, branch := range n.branches {
			b = appendCanonical(separate(b, i), branch, defined)
		}
		b = append(b, ']')
	default:
		b = append(append(append(b, '"'), n.kind.String()...), '"')
	}
	return b
}

func separate(b []byte, i int) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	return b
}

// empty is the fingerprint of no bytes, and the polynomial.
const empty = 0xc15d213aa4d7a795

var crcTable = func() (table [256]uint64) {
	for i := range table {
		fp := uint64(i)
		for range 8 {
			fp = fp>>1 ^ empty&-(fp&1)
		}
		table[i] = fp
	}
	return table
}()

// fingerprint is CRC-64-AVRO.
func fingerprint(s string) uint64 {
	fp := uint64(empty)
	for _, c := range []byte(s) {
		fp = fp>>8 ^ crcTable[byte(fp)^c]
	}
	return fp
}
