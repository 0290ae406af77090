package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Size is a number of bytes. It is written with a binary unit, as 64MiB, or
// without one.
type Size int64

var units = []struct {
	name  string
	shift int
}{{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"B", 0}}

// ParseSize reads a size: a whole number and B, KiB, MiB, GiB, TiB or nothing.
func ParseSize(s string) (Size, error) {
	digits, shift := s, 0
	for _, u := range units {
		if d, ok := strings.CutSuffix(s, u.name); ok {
			digits, shift = strings.TrimRight(d, " "), u.shift
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n<<shift>>shift != n {
		return 0, fmt.Errorf("%q is not a size: write a whole number and B, KiB, MiB, GiB or TiB, as in 64MiB", s)
	}
	return Size(n << shift), nil
}

// String prints the size with the greatest unit that keeps it whole.
func (s Size) String() string {
	for _, u := range units {
		if s != 0 && s%(1<<u.shift) == 0 {
			return strconv.FormatInt(int64(s)>>u.shift, 10) + u.name
		}
	}
	return "0B"
}
