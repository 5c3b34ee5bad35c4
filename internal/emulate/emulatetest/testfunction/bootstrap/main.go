// Bootstrap is the test function as a program of its own, for a Lambda function
// on AWS or for an emulator that starts it as it would any custom runtime. What
// it does is in package testfunction; here is only the choice between the runtime
// and the extension.
package main

import (
	"os"

	"github.com/aproorg/sluice/internal/emulate/emulatetest/testfunction"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "extension" {
		testfunction.RunExtension()
		return
	}
	testfunction.Run()
}
