package emulatetest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/mccutchen/go-httpbin/v2/httpbin"

	"github.com/aproorg/sluice/internal/emulate/apigateway"
	"github.com/aproorg/sluice/internal/emulate/cloudfront"
	"github.com/aproorg/sluice/internal/emulate/s3"
	"github.com/aproorg/sluice/internal/emulate/sigv4"
	"github.com/aproorg/sluice/internal/stack"
)

var (
	awsStage  = flag.String("aws-stage", os.Getenv("SLUICE_AWS_STAGE"), "URL of a REST stage as Web wants it")
	awsEdge   = flag.String("aws-distribution", os.Getenv("SLUICE_AWS_DISTRIBUTION"), "URL of a distribution as Web wants it")
	awsAsset  = flag.String("aws-asset", os.Getenv("SLUICE_AWS_ASSET"), "path of its asset")
	awsBucket = flag.String("aws-bucket", os.Getenv("SLUICE_AWS_BUCKET"), "name of a bucket as Bucket wants it")
)

func contextWithoutCancel(t *testing.T) context.Context { return context.WithoutCancel(t.Context()) }

// streamer is the answer of an app as Lambda's API sends it, in the SDK's encoding.
type streamer struct {
	w      http.ResponseWriter
	enc    *eventstream.Encoder
	header http.Header
	begun  bool
}

func (s *streamer) Header() http.Header { return s.header }
func (s *streamer) Flush()              {}

func (s *streamer) WriteHeader(status int) {
	if s.begun {
		return
	}
	s.begun = true
	meta, _ := json.Marshal(map[string]any{"statusCode": status, "multiValueHeaders": s.header})
	s.send("PayloadChunk", append(meta, make([]byte, 8)...))
}

func (s *streamer) Write(p []byte) (int, error) {
	s.WriteHeader(http.StatusOK)
	s.send("PayloadChunk", p)
	return len(p), nil
}

func (s *streamer) send(name string, payload []byte) {
	m := eventstream.Message{Payload: payload}
	m.Headers.Set(":message-type", eventstream.StringValue("event"))
	m.Headers.Set(":event-type", eventstream.StringValue(name))
	if s.enc.Encode(s.w, m) == nil {
		_ = http.NewResponseController(s.w).Flush()
	}
}

// functionOf is Lambda with a function that runs app on proxy events.
func functionOf(t *testing.T, app http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(io.LimitReader(r.Body, 6<<20+1))
		if err != nil || len(raw) > 6<<20 {
			http.Error(w, "RequestEntityTooLargeException", http.StatusRequestEntityTooLarge)
			return
		}
		var e struct {
			Path, HTTPMethod, Body          string
			IsBase64Encoded                 bool
			MultiValueHeaders               http.Header
			MultiValueQueryStringParameters url.Values
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Error(err)
		}
		body := []byte(e.Body)
		if e.IsBase64Encoded {
			if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
				t.Error(err)
			}
		}
		target := e.Path + "?" + e.MultiValueQueryStringParameters.Encode()
		in := httptest.NewRequest(e.HTTPMethod, target, bytes.NewReader(body)).WithContext(r.Context())
		in.Header = e.MultiValueHeaders
		s := &streamer{w: w, enc: eventstream.NewEncoder(), header: http.Header{}}
		app.ServeHTTP(s, in)
		s.WriteHeader(http.StatusOK)
		s.send("InvokeComplete", []byte("{}"))
	})
}

const functionAddress = "aws_lambda_function.this"

// newStage is the URL of an emulated stage, without the stage, in front of
// go-httpbin.
func newStage(t *testing.T) string {
	app := httpbin.New(httpbin.WithPrefix("/api"), httpbin.WithMaxBodySize(12<<20)).Handler()
	lambda := httptest.NewServer(functionOf(t, app))
	t.Cleanup(lambda.Close)
	integration := stack.Integration{Type: stack.IntegrationProxy, ResponseTransferMode: stack.TransferStream, Function: functionAddress, Timeout: 15 * time.Minute}
	g, err := apigateway.New(apigateway.Config{LambdaEndpoint: lambda.URL, Functions: map[string]string{functionAddress: "app"},
		API: stack.RestAPI{Address: "aws_api_gateway_rest_api.this", StageName: "live", EndpointType: "REGIONAL", BinaryMediaTypes: []string{"*/*"},
			Resources: []stack.Resource{{Path: "/api/{proxy+}", Methods: []stack.Method{{HTTPMethod: "ANY", Integration: integration}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(g)
	t.Cleanup(func() { server.Close(); g.Close() })
	return server.URL
}

func TestAPIGatewayEmulator(t *testing.T) {
	APIGateway(t, Web{URL: newStage(t) + "/live"})
}

func TestAPIGatewayAWS(t *testing.T) {
	if *awsStage == "" {
		t.Skip("go test ./internal/emulate/emulatetest -run APIGatewayAWS -aws-stage https://ID.execute-api.REGION.amazonaws.com/STAGE (Web says what must answer there)")
	}
	APIGateway(t, Web{URL: strings.TrimSuffix(*awsStage, "/")})
}

// newEdge is the URL of an emulated distribution in front of a bucket with
// /assets/app.js and of newStage.
func newEdge(t *testing.T) string {
	store, err := s3.New(s3.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{"assets/app.js": {Data: bytes.Repeat([]byte("console.log('contract');\n"), 100)}}
	err = store.PutFS("site", files, func(string) s3.Metadata {
		return s3.Metadata{"Content-Type": {"text/javascript"}, "Cache-Control": {"public, max-age=31536000, immutable"}}
	})
	if err != nil {
		t.Fatal(err)
	}
	key := sigv4.NewKey()
	bucket := httptest.NewServer(store.Origin(key))
	t.Cleanup(bucket.Close)
	none, all := stack.Selection{Behavior: "none"}, stack.Selection{Behavior: "all"}
	d, err := cloudfront.New(cloudfront.Config{AssumeHTTPS: true, SignBucket: func(r *http.Request) { sigv4.Sign(r, key, "s3", "eu-west-1", nil) }, Origins: map[string]string{"site": bucket.URL + "/site", "api": newStage(t)},
		Distribution: stack.Distribution{
			Origins: []stack.Origin{{OriginID: "site", Bucket: true}, {OriginID: "api", OriginPath: "/live"}},
			DefaultCacheBehavior: stack.CacheBehavior{TargetOriginID: "site", Compress: true, AllowedMethods: []string{"GET", "HEAD", "OPTIONS"},
				CachePolicy: stack.CachePolicy{MinTTL: time.Second, DefaultTTL: 24 * time.Hour, MaxTTL: 365 * 24 * time.Hour, Gzip: true, Brotli: true}},
			OrderedCacheBehaviors: []stack.CacheBehavior{{PathPattern: "/api/*", TargetOriginID: "api",
				AllowedMethods: []string{"GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"}, CachePolicy: stack.CachePolicy{Headers: none},
				OriginRequestPolicy: stack.OriginRequestPolicy{Headers: stack.Selection{Behavior: "allExcept", Items: []string{"host"}}, Cookies: all, Queries: all}}},
		}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(d)
	t.Cleanup(func() { server.Close(); d.Close() })
	return server.URL
}

func TestCloudFrontEmulator(t *testing.T) {
	CloudFront(t, Web{URL: newEdge(t), Asset: "/assets/app.js"})
}

func TestCloudFrontAWS(t *testing.T) {
	if *awsEdge == "" || *awsAsset == "" {
		t.Skip("go test ./internal/emulate/emulatetest -run CloudFrontAWS -aws-distribution https://ID.cloudfront.net -aws-asset /assets/index.js (Web says what must answer there)")
	}
	CloudFront(t, Web{URL: strings.TrimSuffix(*awsEdge, "/"), Asset: *awsAsset})
}

func TestS3Emulator(t *testing.T) {
	store, err := s3.New(s3.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	store.Bucket("contract")
	key := sigv4.NewTemporaryKey()
	server := httptest.NewServer(store.API(key))
	t.Cleanup(server.Close)
	S3(t, Bucket{Name: "contract", Client: awss3.New(awss3.Options{Region: "eu-west-1", BaseEndpoint: &server.URL, UsePathStyle: true, Credentials: provider(key)})})
}

// provider gives a key to an SDK.
func provider(k sigv4.Key) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(k.ID, k.Secret, k.Token)
}

func TestS3AWS(t *testing.T) {
	if *awsBucket == "" {
		t.Skip("go test ./internal/emulate/emulatetest -run S3AWS -aws-bucket NAME (a bucket of yours; keys below contract/ are written and deleted)")
	}
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	S3(t, Bucket{Name: *awsBucket, Client: awss3.NewFromConfig(cfg)})
}
