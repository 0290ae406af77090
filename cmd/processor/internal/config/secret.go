package config

// A Secret is text that is never printed. Convert it to a string to use it.
type Secret string

// String hides the secret; only that there is none can be seen.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(hidden)"
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }
