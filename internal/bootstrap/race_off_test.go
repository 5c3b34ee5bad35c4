//go:build !race

package bootstrap_test

var raceFlags []string
