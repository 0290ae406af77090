package identity

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestIdentityLasts(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	a, err := Open(dir, "", 4)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, "", 1); !errors.Is(err, ErrLocked) {
		t.Errorf("a second process: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := Open(dir, "", 2)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.InstanceID != a.InstanceID || b.Workers != 4 {
		t.Errorf("came back as %q with %d workers, was %q with 4", b.InstanceID, b.Workers, a.InstanceID)
	}
	if got := b.TransactionalID("app", 3); got != "app-"+b.InstanceID+"-3" {
		t.Error(got)
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "identity.json"), []byte(`{"format":99}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, "", 1); err == nil || !strings.Contains(err.Error(), "format 99") {
		t.Errorf("err = %v", err)
	}
}
