//go:build !linux

package seal

// EraseEnvironment does nothing here.
func EraseEnvironment() error { return nil }

// Process does nothing here.
func Process() error { return nil }
