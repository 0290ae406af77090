//go:build !linux

package registry

import "syscall"

func dieWithParent() *syscall.SysProcAttr { return nil }
