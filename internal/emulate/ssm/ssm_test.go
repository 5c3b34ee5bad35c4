package ssm_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/emulate/ssm"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	client "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

// open serves a store and returns the SDK's client of it.
func open(t *testing.T, cfg ssm.Config) *client.Client {
	t.Helper()
	store, err := ssm.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(store)
	t.Cleanup(server.Close)
	return client.New(client.Options{Region: "eu-west-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")})
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return fmt.Sprint(err)
}

func values(all []types.Parameter) map[string]string {
	out := map[string]string{}
	for _, p := range all {
		out[*p.Name] = *p.Value
	}
	return out
}

func TestGetParametersByNameARNAndVersion(t *testing.T) {
	c := open(t, ssm.Config{Secure: map[string]string{"/app/key": "one"}, Plain: map[string]string{"plain": "two"}})
	_, err := c.PutParameter(t.Context(), &client.PutParameterInput{Name: aws.String("/app/key"), Value: aws.String("three"), Overwrite: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.GetParameters(t.Context(), &client.GetParametersInput{WithDecryption: aws.Bool(true), Names: []string{
		"arn:aws:ssm:eu-west-1:123456789012:parameter/app/key", "plain", "/app/none", "/app/key:9"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"/app/key": "three", "plain": "two"}, values(out.Parameters)); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"/app/none", "/app/key:9"}, out.InvalidParameters); diff != "" {
		t.Errorf("invalid (-want +got):\n%s", diff)
	}
	one, err := c.GetParameter(t.Context(), &client.GetParameterInput{Name: aws.String("/app/key:1"), WithDecryption: aws.Bool(true)})
	if err != nil || *one.Parameter.Value != "one" || *one.Parameter.Selector != ":1" || one.Parameter.Version != 1 {
		t.Errorf("version 1: %+v, %v", one, err)
	}
	sealed, err := c.GetParameter(t.Context(), &client.GetParameterInput{Name: aws.String("/app/key")})
	if err != nil || strings.Contains(*sealed.Parameter.Value, "three") || sealed.Parameter.Type != types.ParameterTypeSecureString {
		t.Errorf("without decryption: %+v, %v", sealed, err)
	}
	if _, err := c.GetParameter(t.Context(), &client.GetParameterInput{Name: aws.String("/none")}); code(err) != "ParameterNotFound" {
		t.Errorf("a missing one: %v", err)
	}
}

func TestLimitsAndPolicy(t *testing.T) {
	c := open(t, ssm.Config{Plain: map[string]string{"/a": "1", "/b": "2"}, Deny: []string{"/b"}})
	eleven := make([]string, 11)
	for i := range eleven {
		eleven[i] = fmt.Sprint("/p", i)
	}
	for _, tc := range []struct {
		names []string
		want  string
	}{
		{eleven, "ValidationException"},
		{[]string{}, "ValidationException"},
		{[]string{"/a", "/a"}, "ValidationException"},
		{[]string{"/a", "/b"}, "AccessDeniedException"},
		{[]string{"arn:aws:ssm:eu-west-1:123456789012:parameter/b"}, "AccessDeniedException"},
	} {
		if _, err := c.GetParameters(t.Context(), &client.GetParametersInput{Names: tc.names}); code(err) != tc.want {
			t.Errorf("%v: %v, want %s", tc.names, err, tc.want)
		}
	}
}

func TestPutParameterChecksItsInput(t *testing.T) {
	c := open(t, ssm.Config{Plain: map[string]string{"/a": "1"}})
	long := strings.Repeat("x", 4097)
	for _, tc := range []struct {
		in   client.PutParameterInput
		want string
	}{
		{client.PutParameterInput{Name: aws.String("/a"), Value: aws.String("2")}, "ParameterAlreadyExists"},
		{client.PutParameterInput{Name: aws.String("/new"), Value: aws.String("2")}, "ValidationException"}, // no type
		{client.PutParameterInput{Name: aws.String("/aws/x"), Value: aws.String("2"), Type: types.ParameterTypeString}, "ValidationException"},
		{client.PutParameterInput{Name: aws.String("a b"), Value: aws.String("2"), Type: types.ParameterTypeString}, "ValidationException"},
		{client.PutParameterInput{Name: aws.String("a/b"), Value: aws.String("2"), Type: types.ParameterTypeString}, "ValidationException"},
		{client.PutParameterInput{Name: aws.String("/big"), Value: &long, Type: types.ParameterTypeString}, "ValidationException"},
	} {
		if _, err := c.PutParameter(t.Context(), &tc.in); code(err) != tc.want {
			t.Errorf("%s: %v, want %s", *tc.in.Name, err, tc.want)
		}
	}
	in := client.PutParameterInput{Name: aws.String("/big"), Value: &long, Type: types.ParameterTypeSecureString, Tier: types.ParameterTierAdvanced}
	if out, err := c.PutParameter(t.Context(), &in); err != nil || out.Version != 1 {
		t.Errorf("advanced: %+v, %v", out, err)
	}
}

func TestGetParametersByPathPages(t *testing.T) {
	plain := map[string]string{"/app/sub/deep": "d", "/apple": "no"}
	for i := range 23 {
		plain[fmt.Sprintf("/app/p%02d", i)] = fmt.Sprint(i)
	}
	c := open(t, ssm.Config{Plain: plain})
	for recursive, want := range map[bool]int{false: 23, true: 24} {
		n, pages := 0, 0
		p := client.NewGetParametersByPathPaginator(c, &client.GetParametersByPathInput{Path: aws.String("/app"), Recursive: &recursive})
		for p.HasMorePages() {
			page, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			n, pages = n+len(page.Parameters), pages+1
		}
		if n != want || pages != 3 {
			t.Errorf("recursive %v: %d parameters in %d pages, want %d", recursive, n, pages, want)
		}
	}
}

func TestOtherCallsAreRefused(t *testing.T) {
	c := open(t, ssm.Config{})
	if _, err := c.DeleteParameter(t.Context(), &client.DeleteParameterInput{Name: aws.String("/a")}); code(err) != "UnknownOperationException" {
		t.Errorf("delete: %v", err)
	}
	store, err := ssm.New(ssm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"", "[", `{"Names":3}`} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("X-Amz-Target", "AmazonSSM.GetParameters")
		if store.ServeHTTP(w, r); w.Code != 400 || !strings.Contains(w.Body.String(), "SerializationException") {
			t.Errorf("body %q: %d %s", body, w.Code, w.Body)
		}
	}
	if _, err := ssm.New(ssm.Config{Secure: map[string]string{"/x": ""}}); err == nil || !strings.Contains(err.Error(), "/x") {
		t.Errorf("an empty secret: %v", err)
	}
}

func FuzzNames(f *testing.F) {
	for _, seed := range []string{"/a", "a", "arn:aws:ssm:eu-west-1:123456789012:parameter/a", "/a:1", "/a:x", "", ":", "//"} {
		f.Add(seed)
	}
	store, err := ssm.New(ssm.Config{Plain: map[string]string{"/a": "1"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string) {
		for _, op := range []string{"GetParameter", "PutParameter"} {
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(fmt.Sprintf(`{"Name":%q,"Value":"1","Type":"String"}`, name)))
			r.Header.Set("X-Amz-Target", "AmazonSSM."+op)
			if store.ServeHTTP(w, r); w.Code != 200 && w.Code != 400 {
				t.Errorf("%s %q: %d", op, name, w.Code)
			}
		}
	})
}
