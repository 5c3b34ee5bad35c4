//go:build race

package bootstrap_test

// raceFlags builds the tested process with the race detector as well.
var raceFlags = []string{"-race"}
