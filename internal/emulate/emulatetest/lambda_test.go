package emulatetest

import (
	"context"
	"flag"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/aproorg/sluice/internal/emulate/lambda"
	"github.com/aproorg/sluice/internal/emulate/sigv4"
	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/testkit"
)

var awsFunction = flag.String("aws-lambda-function", os.Getenv("SLUICE_AWS_LAMBDA_FUNCTION"),
	"name of a function on AWS that runs package testfunction; it is invoked about 40 times")

func TestLambdaEmulator(t *testing.T) {
	program := filepath.Join(t.TempDir(), "bootstrap")
	if out, err := exec.Command("go", "build", "-o", program, "./testfunction/bootstrap").CombinedOutput(); err != nil {
		t.Fatalf("build the test function: %v\n%s", err, out)
	}
	em, err := lambda.New(lambda.Config{
		Function: stack.Function{FunctionName: "contract", MemorySize: 128, Timeout: 3 * time.Second},
		Process:  lambda.Process{Command: []string{program}, Env: []string{"PATH=" + os.Getenv("PATH")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	key := sigv4.NewTemporaryKey()
	server := httptest.NewServer(sigv4.Guard(em, "lambda", []sigv4.Key{key}, 8<<20))
	t.Cleanup(func() {
		server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := em.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	Lambda(t, Function{Name: "contract", Client: awslambda.New(awslambda.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(server.URL), RetryMaxAttempts: 1, HTTPClient: testkit.OwnBodies{}, Credentials: provider(key),
	})})
}

func TestLambdaAWS(t *testing.T) {
	if *awsFunction == "" {
		t.Skip("go test ./internal/emulate/emulatetest -run LambdaAWS -aws-lambda-function NAME (package testfunction says how to make it)")
	}
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	Lambda(t, Function{Name: *awsFunction, Client: awslambda.NewFromConfig(cfg)})
}
