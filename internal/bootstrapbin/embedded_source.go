//go:build !release

package bootstrapbin

// embedded has nothing to give in a build from source.
func embedded(string) ([]byte, bool) { return nil, false }
