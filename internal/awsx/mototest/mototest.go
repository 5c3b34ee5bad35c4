// Package mototest runs moto's server for a test: an independent reading of
// AWS's protocols, for what has no emulator of our own. It makes the resources
// that Terraform makes in an account, by the plainest requests.
//
// moto keeps everything in memory, checks no signature and no permission, and
// serves no registry for ECR's repositories.
package mototest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/testkit"
)

// Server is a running moto.
type Server struct{ URL string }

// Start runs moto until the test ends. Without moto the test is skipped.
func Start(t *testing.T) *Server {
	t.Helper()
	path, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("moto is not here: pip install 'moto[server]'")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().(*net.TCPAddr)
	listener.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	cmd := exec.CommandContext(ctx, path, "-H", "127.0.0.1", "-p", fmt.Sprint(address.Port))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // killed just now
	})
	server := &Server{"http://" + address.String()}
	server.wait(t)
	return server
}

func (s *Server) wait(t *testing.T) {
	t.Helper()
	testkit.Wait(t, time.Minute, "moto's first answer", func() (string, bool) {
		response, err := http.Get(s.URL + "/moto-api/")
		if err != nil {
			return err.Error(), false
		}
		return response.Status, response.Body.Close() == nil
	})
}

// Call sends a request that looks like service's and returns the answer.
func (s *Server) Call(t *testing.T, service, method, path, body string, headers ...string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	for n := 0; n < len(headers); n += 2 {
		request.Header.Set(headers[n], headers[n+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %s %v", method, path, response.Status, text, err)
	}
	var out strings.Builder
	if method == http.MethodHead {
		_ = response.Header.Write(&out)
	}
	return out.String() + string(text)
}

// CreateBucket makes a bucket in eu-west-1.
func (s *Server) CreateBucket(t *testing.T, name string) {
	t.Helper()
	s.Call(t, "s3", http.MethodPut, "/"+name, `<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>`)
}

// CreateRepository makes a repository of ECR's and returns its URI.
func (s *Server) CreateRepository(t *testing.T, name string) string {
	t.Helper()
	made := s.Call(t, "ecr", http.MethodPost, "/", fmt.Sprintf(`{"repositoryName":%q}`, name),
		"Content-Type", "application/x-amz-json-1.1", "X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921.CreateRepository")
	return between(made, `"repositoryUri": "`, `"`)
}

// CreateDistribution makes a distribution and returns its ID.
func (s *Server) CreateDistribution(t *testing.T) string {
	t.Helper()
	made := s.Call(t, "cloudfront", http.MethodPost, "/2020-05-31/distribution", `<DistributionConfig xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/">
<CallerReference>r</CallerReference><Comment/><Enabled>true</Enabled>
<Origins><Quantity>1</Quantity><Items><Origin><Id>o</Id><DomainName>site.s3.eu-west-1.amazonaws.com</DomainName><S3OriginConfig><OriginAccessIdentity/></S3OriginConfig></Origin></Items></Origins>
<DefaultCacheBehavior><TargetOriginId>o</TargetOriginId><ViewerProtocolPolicy>https-only</ViewerProtocolPolicy><MinTTL>0</MinTTL>
<ForwardedValues><QueryString>false</QueryString><Cookies><Forward>none</Forward></Cookies></ForwardedValues></DefaultCacheBehavior></DistributionConfig>`)
	return between(made, "<Id>", "</Id>")
}

// Invalidations returns what a distribution was asked to forget, as XML.
func (s *Server) Invalidations(t *testing.T, distribution string) string {
	t.Helper()
	path := "/2020-05-31/distribution/" + distribution + "/invalidation"
	var all strings.Builder
	for rest := s.Call(t, "cloudfront", http.MethodGet, path, ""); strings.Contains(rest, "<Id>"); {
		id := between(rest, "<Id>", "</Id>")
		all.WriteString(s.Call(t, "cloudfront", http.MethodGet, path+"/"+id, ""))
		_, rest, _ = strings.Cut(rest, "</Id>")
	}
	return all.String()
}

func between(text, before, after string) string {
	_, text, _ = strings.Cut(text, before)
	text, _, _ = strings.Cut(text, after)
	return text
}
