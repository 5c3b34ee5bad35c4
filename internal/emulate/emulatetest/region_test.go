package emulatetest

import (
	"context"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	awsssm "github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/aproorg/sluice/internal/emulate/apigateway"
	"github.com/aproorg/sluice/internal/emulate/lambda"
	"github.com/aproorg/sluice/internal/emulate/s3"
	"github.com/aproorg/sluice/internal/emulate/ssm"
	"github.com/aproorg/sluice/internal/stack"
)

// TestOneRegion: what each emulator says of its region is what it was configured
// with, and they agree where nobody says anything.
func TestOneRegion(t *testing.T) {
	for _, tt := range []struct{ region, want string }{{"", "eu-west-1"}, {"ap-south-1", "ap-south-1"}} {
		t.Run(tt.want, func(t *testing.T) {
			for hop, got := range regions(t, tt.region) {
				if got != tt.want {
					t.Errorf("%s is in %q, want %s", hop, got, tt.want)
				}
			}
		})
	}
}

func regions(t *testing.T, region string) map[string]string {
	credentials := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
	})
	gateway, err := apigateway.New(apigateway.Config{Region: region, API: stack.RestAPI{StageName: "live"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(gateway.Close)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	function, err := lambda.New(lambda.Config{Region: region, Process: lambda.Process{Command: []string{self}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = function.Close(context.Background()) })

	parameters, err := ssm.New(ssm.Config{Region: region, Plain: map[string]string{"/a": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(parameters)
	t.Cleanup(server.Close)
	parameter, err := awsssm.New(awsssm.Options{Region: "eu-west-1", BaseEndpoint: &server.URL, Credentials: credentials}).
		GetParameter(t.Context(), &awsssm.GetParameterInput{Name: aws.String("/a")})
	if err != nil {
		t.Fatal(err)
	}

	store, err := s3.New(s3.Config{Region: region, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	store.Bucket("b")
	objects := httptest.NewServer(store.API())
	t.Cleanup(objects.Close)
	bucket, err := awss3.New(awss3.Options{Region: "eu-west-1", BaseEndpoint: &objects.URL, UsePathStyle: true, Credentials: credentials}).
		HeadBucket(t.Context(), &awss3.HeadBucketInput{Bucket: aws.String("b")})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"API Gateway": strings.Split(gateway.DomainName(), ".")[2],
		"Lambda":      strings.Split(function.ARN(), ":")[3],
		"SSM":         strings.Split(aws.ToString(parameter.Parameter.ARN), ":")[3],
		"S3":          aws.ToString(bucket.BucketRegion),
	}
}
