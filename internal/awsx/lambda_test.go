package awsx_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/awsx"
	"github.com/aproorg/sluice/internal/awsx/mototest"
	"github.com/aproorg/sluice/internal/hint"
)

// testVersions publishes six versions, each of an image of its own, with an alias at
// the oldest, and keeps three of both.
func testVersions(t *testing.T, config *awsx.Config, moto *mototest.Server) {
	sdk := aws.Config{Region: "eu-west-1", BaseEndpoint: &moto.URL, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	functions, images := lambda.NewFromConfig(sdk), ecr.NewFromConfig(sdk)
	moto.Call(t, "iam", http.MethodPost, "/", "Action=CreateRole&Version=2010-05-08&RoleName=versions&AssumeRolePolicyDocument=%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%5D%7D", "Content-Type", "application/x-www-form-urlencoded")
	role := aws.String("arn:aws:iam::123456789012:role/versions")
	if _, err := images.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("versions")}); err != nil {
		t.Fatal(err)
	}
	name, digests := aws.String("versions"), []string{}
	for i := range 6 {
		layer := "sha256:" + strings.Repeat(fmt.Sprint(i), 64)
		manifest := `{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":1,"digest":"` + layer + `"},"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","size":1,"digest":"` + layer + `"}]}`
		put, err := images.PutImage(t.Context(), &ecr.PutImageInput{RepositoryName: name, ImageManifest: &manifest, ImageTag: aws.String(fmt.Sprint("v", i+1))})
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, aws.ToString(put.Image.ImageId.ImageDigest))
		uri := aws.String("123456789012.dkr.ecr.eu-west-1.amazonaws.com/versions@" + digests[i])
		if i == 0 {
			_, err = functions.CreateFunction(t.Context(), &lambda.CreateFunctionInput{FunctionName: name, Role: role, PackageType: types.PackageTypeImage,
				Code: &types.FunctionCode{ImageUri: uri}})
		} else {
			_, err = functions.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: name, ImageUri: uri})
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := functions.PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: name}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1100 * time.Millisecond) // the time of a push, by which images are ordered, has seconds
	}
	if _, err := functions.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: name, Name: aws.String("live"), FunctionVersion: aws.String("1")}); err != nil {
		t.Fatal(err)
	}
	removed, err := config.Function("versions").Prune(t.Context(), 3, "versions")
	if err != nil {
		t.Fatal(err)
	}
	// The first image is old, and version 1 runs it; version 1 is old, and the alias names it.
	if diff := cmp.Diff([]string{"3", "2"}, removed.Versions); diff != "" {
		t.Errorf("removed versions (-want +got):\n%s", diff)
	}
	gone := map[string]bool{}
	for _, digest := range removed.Images {
		gone[digest] = true
	}
	if diff := cmp.Diff(map[string]bool{digests[1]: true, digests[2]: true}, gone); diff != "" {
		t.Errorf("removed images (-want +got):\n%s", diff)
	}
	left, err := functions.ListVersionsByFunction(t.Context(), &lambda.ListVersionsByFunctionInput{FunctionName: name})
	if err != nil {
		t.Fatal(err)
	}
	var versions []string
	for _, v := range left.Versions {
		versions = append(versions, *v.Version)
	}
	if diff := cmp.Diff([]string{"$LATEST", "1", "4", "5", "6"}, versions); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
	if removed, err := config.Function("versions").Prune(t.Context(), 3, "versions"); err != nil || len(removed.Versions)+len(removed.Images) > 0 {
		t.Errorf("a second time it removes %v, %v", removed, err)
	}
	if removed, err := config.Function("absent").Prune(t.Context(), 3, "absent"); err != nil || len(removed.Versions)+len(removed.Images) > 0 {
		t.Errorf("of a function that is not there it removes %v, %v", removed, err)
	}
}

// TestPrunePages: versions and aliases come in pages, a canary names two versions, and
// a deletion meets an update under way. moto has none of the three.
func TestPrunePages(t *testing.T) {
	var deleted []string
	busy := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		version, marker := r.URL.Query().Get("Qualifier"), r.URL.Query().Get("Marker")
		answer := map[string]any{}
		switch {
		case r.Method == http.MethodDelete && busy:
			busy = false
			w.Header().Set("X-Amzn-Errortype", "ResourceConflictException")
			w.WriteHeader(http.StatusConflict)
		case r.Method == http.MethodDelete && version == "5":
			w.Header().Set("X-Amzn-Errortype", "AccessDeniedException")
			w.WriteHeader(http.StatusForbidden)
		case r.Method == http.MethodDelete:
			deleted = append(deleted, version)
			w.WriteHeader(http.StatusNoContent)
			return
		case strings.HasSuffix(r.URL.Path, "/versions") && marker == "":
			answer = map[string]any{"NextMarker": "2", "Versions": []any{map[string]any{"Version": "$LATEST"}, map[string]any{"Version": "9"}, map[string]any{"Version": "10"}}}
		case strings.HasSuffix(r.URL.Path, "/versions"):
			answer = map[string]any{"Versions": []any{map[string]any{"Version": "5"}, map[string]any{"Version": "6"}, map[string]any{"Version": "7"}, map[string]any{"Version": "8"}}}
		case strings.HasSuffix(r.URL.Path, "/aliases") && marker == "":
			answer = map[string]any{"NextMarker": "2", "Aliases": []any{map[string]any{"Name": "a", "FunctionVersion": "10"}}}
		case strings.HasSuffix(r.URL.Path, "/aliases"):
			answer = map[string]any{"Aliases": []any{map[string]any{"Name": "b", "FunctionVersion": "10", "RoutingConfig": map[string]any{"AdditionalVersionWeights": map[string]any{"6": 0.1}}}}}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	removed, err := session(t, server.URL, "eu-west-1").Function("f").Prune(t.Context(), 2, "")
	if diff := cmp.Diff([]string{"8", "7"}, removed.Versions); diff != "" || err == nil || !strings.Contains(err.Error(), "delete version 5 of function f") {
		t.Errorf("removed (-want +got):\n%s%v", diff, err)
	}
	if diff := cmp.Diff([]string{"8", "7"}, deleted); diff != "" {
		t.Errorf("deleted (-want +got):\n%s", diff)
	}
}

// TestAwaitActive waits for versions in the states that Lambda names
// (https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html#snapstart-function-states).
func TestAwaitActive(t *testing.T) {
	for _, test := range []struct {
		what   string
		states []string // one after the other, and the last from then on
		woken  int
		invoke string // the error of a call of an inactive version
		want   string
	}{
		{"active", []string{"Active"}, 0, "", ""},
		{"the snapshot is being taken", []string{"Pending", "Active"}, 0, "", ""},
		{"nobody called it for 14 days", []string{"Inactive", "Pending", "Active"}, 1, "SnapStartNotReadyException", ""},
		{"it may not be called", []string{"Inactive"}, 1, "AccessDeniedException", "wake version 7 of function f, which is inactive"},
		{"the app does not start", []string{"Pending", "Failed"}, 0, "", "version 7 of function f has failed: the runtime ended (FunctionError) (hint: its log, /aws/lambda/f,"},
		{"there is none", []string{""}, 0, "", "function f has no version 7: "},
	} {
		t.Run(test.what, func(t *testing.T) {
			asked, woken := 0, 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if version := r.URL.Query().Get("Qualifier"); version != "7" {
					t.Errorf("%s asks for version %q", r.URL, version)
				}
				fail := func(kind string, status int) {
					w.Header().Set("X-Amzn-Errortype", kind)
					w.WriteHeader(status)
				}
				if strings.HasSuffix(r.URL.Path, "/invocations") {
					woken++
					if test.invoke == "AccessDeniedException" {
						fail(test.invoke, http.StatusForbidden)
						return
					}
					fail(test.invoke, http.StatusConflict)
					return
				}
				state := test.states[min(asked, len(test.states)-1)]
				if asked++; state == "" {
					fail("ResourceNotFoundException", http.StatusNotFound)
					return
				}
				_ = json.NewEncoder(w).Encode(map[string]string{"State": state, "StateReason": "the runtime ended", "StateReasonCode": "FunctionError"})
			}))
			t.Cleanup(server.Close)
			err := session(t, server.URL, "eu-west-1").Function("f").AwaitActive(t.Context(), "7")
			if (err == nil) != (test.want == "") || err != nil && !strings.HasPrefix(hint.Text(err), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if woken != test.woken || test.want == "" && asked != len(test.states) {
				t.Errorf("asked %d times, called %d times", asked, woken)
			}
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"State":"Pending"}`) }))
		t.Cleanup(server.Close)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		begin := time.Now()
		if err := session(t, server.URL, "eu-west-1").Function("f").AwaitActive(ctx, "7"); err == nil || time.Since(begin) > time.Second {
			t.Errorf("it ends after %s with %v", time.Since(begin), err)
		}
	})
}
