//go:build failpoints

package failpoint

import (
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// FromEnv reads LEAT_FAILPOINT, "point=probability", and returns a hook that
// kills the process with SIGKILL at that point with that probability.
func FromEnv() Hook {
	name, chance, ok := strings.Cut(os.Getenv("LEAT_FAILPOINT"), "=")
	if !ok {
		return nil
	}
	p, err := strconv.ParseFloat(chance, 64)
	if err != nil {
		panic("LEAT_FAILPOINT: " + err.Error())
	}
	return func(at Point) error {
		if string(at) == name && rand.Float64() < p {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	}
}
