package lambda_test

import (
	"os"
	"testing"

	"github.com/aproorg/sluice/internal/emulate/emulatetest/testfunction"
)

type event = testfunction.Event

// TestMain makes the test binary the function's program too.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == "extension":
		testfunction.RunExtension()
	case len(os.Args) > 1 && os.Args[1] == "runtime", os.Getenv("TEST_RUNTIME") != "":
		testfunction.Run()
	case len(os.Args) > 2 && os.Args[1] == "host":
		runHost(os.Args[2])
	default:
		os.Exit(m.Run())
	}
}
