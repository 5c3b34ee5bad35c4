package clients

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// TestMain makes the test binary a function too: of aws-lambda-go, or the probe.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(goVariable) != "":
		lambda.Start(handle)
	case os.Getenv(probeVariable) != "":
		runProbe()
		return
	}
	os.Exit(m.Run())
}

const goVariable = "TEST_GO_FUNCTION"

func handle(ctx context.Context, e event) (any, error) {
	switch e.Do {
	case "error":
		return nil, errors.New("no")
	case "panic":
		panic("of the handler")
	case "stream", "stream-error", "stream-exit":
		r, w := io.Pipe()
		go func() {
			for i := range e.N {
				fmt.Fprintf(w, "%d %s", i, e.Text)
				time.Sleep(time.Duration(e.Millis) * time.Millisecond) // the pace of the answer
			}
			switch e.Do {
			case "stream-error":
				_ = w.CloseWithError(errors.New("in the middle"))
			case "stream-exit":
				os.Exit(3)
			}
			_ = w.Close()
		}()
		return r, nil
	case "context":
		c, _ := lambdacontext.FromContext(ctx)
		return c, nil
	}
	return e, nil
}
