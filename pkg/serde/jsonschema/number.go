package jsonschema

import (
	"encoding/json"
	"strconv"
	"strings"
)

// The validator computes with numbers as they are written. A few bytes can be one that
// takes hours, and beyond an exponent of a million it panics.
const (
	maxNumber   = 1000 // bytes
	maxExponent = 1000
	tooLong     = "the number has too many digits"
)

// longNumber returns where in v a number is that is too long: of several always the same.
func longNumber(v any) (at string, found bool) {
	switch v := v.(type) {
	case json.Number:
		return "", isLong(string(v))
	case []any:
		for i, item := range v {
			if at, found := longNumber(item); found {
				return "/" + strconv.Itoa(i) + at, true
			}
		}
	case map[string]any:
		for name, member := range v {
			if inner, long := longNumber(member); long {
				if inner = "/" + escape(name) + inner; !found || inner < at {
					at, found = inner, true
				}
			}
		}
	}
	return at, found
}

func isLong(number string) bool {
	if len(number) > maxNumber {
		return true
	}
	i := strings.IndexAny(number, "eE")
	if i < 0 {
		return false
	}
	exponent, err := strconv.Atoi(number[i+1:])
	return err != nil || exponent > maxExponent || exponent < -maxExponent
}
