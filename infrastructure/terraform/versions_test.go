package terraform

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// versions stands for what moto 5.2 does not know of versions of functions:
//
//   - It numbers the next one by how many there are, so that a number comes twice; Lambda
//     gives each once (https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html).
//     Here moto keeps the deleted ones, which are hidden from then on.
//   - All versions share the newest image, where each has its own.
//   - It forgets SnapStart. A version with a snapshot is pending until that is there, here for snapshotTime, and has no
//     LastUpdateStatus meanwhile (issues 43271 and 43395 of hashicorp/terraform-provider-aws). One that is inactive refuses a call,
//     and is pending from then on (https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html).
type versions struct {
	next http.Handler

	mu      sync.Mutex
	deleted map[string]bool      // by region and path of the function and number
	images  map[string]string    // likewise; of the function itself by its path and a space
	snaps   map[string]string    // likewise: what SnapStart applies on
	pending map[string]time.Time // likewise: how long a version is pending
	idle    map[string]bool      // likewise: nobody called the version for 14 days
	failed  map[string]bool      // likewise: the app did not start for a snapshot
	fails   bool                 // so will the next version's
}

// snapshotTime is longer than the provider is busy between the first version and the alias.
const snapshotTime = 8 * time.Second

func newVersions(next http.Handler) *versions {
	return &versions{next: next, deleted: map[string]bool{}, images: map[string]string{}, snaps: map[string]string{}, pending: map[string]time.Time{}, idle: map[string]bool{}, failed: map[string]bool{}}
}

// forget makes a version of a function of eu-west-1 one that nobody called for 14 days.
func (v *versions) forget(function, version string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.idle["eu-west-1/2015-03-31/functions/"+function+" "+version] = true
}

func (v *versions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const functions = "/2015-03-31/functions"
	if !strings.HasPrefix(r.URL.Path, functions) {
		v.next.ServeHTTP(w, r)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	parts := strings.Split(strings.Trim(strings.TrimPrefix(r.URL.Path, functions), "/"), "/")
	named := functionName.FindStringSubmatch(parts[0])
	path, part := signedRegion(r)+functions+"/"+named[1]+" ", strings.Join(parts[1:], "/")
	number := cmp.Or(r.URL.Query().Get("Qualifier"), named[2])
	switch {
	case v.deleted[path+number]:
		w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"Message":"Function not found"}`)
		return
	case part == "invocations" && v.idle[path+number]:
		delete(v.idle, path+number)
		v.pending[path+number] = time.Now().Add(snapshotTime)
		w.Header().Set("X-Amzn-Errortype", "SnapStartNotReadyException")
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"Message":"Lambda is initializing your function. It will be ready to invoke once your function state becomes ACTIVE."}`)
		return
	case r.Method == http.MethodDelete && part == "" && number != "":
		v.deleted[path+number] = true
		w.WriteHeader(http.StatusNoContent)
		return
	case r.Method == http.MethodDelete && part == "":
		for _, flags := range []map[string]bool{v.deleted, v.idle, v.failed} {
			deleteUnder(flags, path)
		}
		deleteUnder(v.images, path)
		deleteUnder(v.snaps, path)
		deleteUnder(v.pending, path)
	}
	var asked struct {
		FunctionName, ImageUri string

		Publish   bool
		Code      struct{ ImageUri string }
		SnapStart *struct{ ApplyOn string }
	}
	request, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(request, &asked)
	r.Body = io.NopCloser(bytes.NewReader(request))
	answer := httptest.NewRecorder()
	v.next.ServeHTTP(answer, r)
	body := map[string]any{}
	_ = json.Unmarshal(answer.Body.Bytes(), &body)
	switch {
	case r.Method == http.MethodPost && parts[0] == "":
		path = signedRegion(r) + functions + "/" + asked.FunctionName + " "
		v.images[path] = asked.Code.ImageUri
	case r.Method == http.MethodPut && part == "code":
		v.images[path] = asked.ImageUri
	case r.Method == http.MethodPost && part == "versions":
		key := path + fmt.Sprint(body["Version"])
		v.images[key] = cmp.Or(v.images[key], v.images[path])
	case r.Method == http.MethodGet && part == "versions":
		listed, _ := body["Versions"].([]any)
		body["Versions"] = slices.DeleteFunc(listed, func(version any) bool { return v.deleted[path+fmt.Sprint(version.(map[string]any)["Version"])] })
	case r.Method == http.MethodGet && part == "" && v.images[path+number] != "":
		code, _ := body["Code"].(map[string]any)
		code["ImageUri"], code["ResolvedImageUri"] = v.images[path+number], v.images[path+number]
	}
	if asked.SnapStart != nil && answer.Code < 300 {
		v.snaps[path] = asked.SnapStart.ApplyOn
	}
	if number := fmt.Sprint(body["Version"]); r.Method == http.MethodPost && (part == "versions" || asked.Publish) && v.snaps[path+number] == "" {
		if v.snaps[path+number] = v.snaps[path]; v.snaps[path] == "PublishedVersions" {
			v.pending[path+number] = time.Now().Add(snapshotTime)
			v.failed[path+number], v.fails = v.fails, false
		}
	}
	v.snapStart(path, body)
	maps.Copy(w.Header(), answer.Header())
	w.Header().Del("Content-Length")
	w.WriteHeader(answer.Code)
	if len(body) == 0 {
		w.Write(answer.Body.Bytes())
		return
	}
	_ = json.NewEncoder(w).Encode(body)
}

// deleteUnder deletes what is kept of a function, by the path of its keys.
func deleteUnder[V any](kept map[string]V, path string) {
	maps.DeleteFunc(kept, func(key string, _ V) bool { return strings.HasPrefix(key, path) })
}

// functionName is how a function is named in a path: by its name or its ARN, which may have a version.
var functionName = regexp.MustCompile(`^(?:arn:.*:function:)?([\w-]*)(?::([\w$-]+))?$`)

// snapStart says in each configuration of the answer what SnapStart applies on, and whether the version has its snapshot.
func (v *versions) snapStart(path string, answer map[string]any) {
	configurations := []any{answer, answer["Configuration"]}
	listed, _ := answer["Versions"].([]any)
	for _, one := range append(configurations, listed...) {
		configuration, _ := one.(map[string]any)
		key := strings.TrimSuffix(path+fmt.Sprint(configuration["Version"]), "$LATEST")
		if configuration["SnapStart"] == nil || v.snaps[key] == "" {
			continue
		}
		snap := map[string]any{"ApplyOn": v.snaps[key], "OptimizationStatus": "Off"}
		if v.snaps[key] == "PublishedVersions" && key != path {
			snap["OptimizationStatus"] = "On"
		}
		configuration["SnapStart"] = snap
		switch {
		case time.Now().Before(v.pending[key]):
			configuration["State"], configuration["StateReason"], configuration["StateReasonCode"] = "Pending", "The function is being created.", "Creating"
			delete(configuration, "LastUpdateStatus")
		case v.failed[key]:
			configuration["State"], configuration["StateReason"], configuration["StateReasonCode"] = "Failed", "Function failed with init error: Runtime.ExitError.", "FunctionError"
			configuration["LastUpdateStatus"], configuration["LastUpdateStatusReasonCode"] = "Failed", "FunctionError"
		case v.idle[key]:
			configuration["State"], configuration["StateReason"], configuration["StateReasonCode"] = "Inactive", "The function is idle.", "Idle"
		}
	}
}

// TestVersions releases images of one function by its alias, to all callers or to some, and goes
// back to earlier ones: what is beyond the two that are kept is removed, versions and images in step,
// and what the alias names stays. Each second plan is empty. They have SnapStart: the alias stands for a version when
// that has its snapshot, and not before; one that lost it gets another.
func TestVersions(t *testing.T) {
	a := emulated(t)
	before := a.calls.count()
	root := t.TempDir()
	if err := os.CopyFS(root, Files); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "environments", "versions")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(versionsModule), 0o600); err != nil {
		t.Fatal(err)
	}
	s := versioned{account: a, dir: dir, digests: []string{""}}
	config := aws.Config{Region: "eu-west-1", BaseEndpoint: &a.endpoint, Credentials: credentials.NewStaticCredentialsProvider("testing", "testing", "")}
	s.images, s.functions = ecr.NewFromConfig(config), lambda.NewFromConfig(config)
	if _, err := s.images.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("releases")}); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"init"}, {"import", "-var=image=" + s.push(t), "module.backend.aws_ecr_repository.this", "releases"}} {
		if out, err := a.run(dir, args...); err != nil {
			t.Fatalf("%s: %v\n%s", args[0], err, complaint(out))
		}
	}
	t.Cleanup(func() {
		if out, err := a.run(dir, "destroy", "-auto-approve", "-var=image="+s.image); err != nil {
			t.Errorf("destroy: %v\n%s", err, complaint(out))
		}
	})
	for i, c := range []struct {
		what    string
		push    bool
		release string
		alias   string // the version that is called
		left    []string
		images  []int // by the order of their push
		canary  int
	}{
		{"first release", false, "null", "1", []string{"1"}, []int{1}, 0},
		{"second release", true, "null", "2", []string{"1", "2"}, []int{1, 2}, 0},
		{"third release removes the first", true, "null", "3", []string{"2", "3"}, []int{2, 3}, 0},
		{"rollback to a version", false, "2", "2", []string{"2", "3"}, []int{2, 3}, 0},
		{"what the alias names stays", true, "2", "2", []string{"2", "3", "4"}, []int{2, 3, 4}, 0},
		{"forward again removes it", false, "null", "4", []string{"3", "4"}, []int{3, 4}, 0},
		{"a canary", true, "4", "4", []string{"4", "5"}, []int{4, 5}, 10},
		{"back from it", false, "4", "4", []string{"4", "5"}, []int{4, 5}, 0},
		{"the canary again", false, "4", "4", []string{"4", "5"}, []int{4, 5}, 25},
		{"promoted", false, "null", "5", []string{"4", "5"}, []int{4, 5}, 0},
		{"rollback to an image", false, "4", "6", []string{"5", "6"}, []int{4, 5}, 0},
	} {
		if c.push {
			s.push(t)
		}
		release := c.release
		if c.what == "rollback to an image" {
			release = s.digests[4]
		}
		if c.what == "rollback to a version" {
			a.versions.forget("releases", c.release)
		}
		s.apply(t, c.what, release, c.canary, i >= 2) // TestApply plans after first releases
		if share := s.share(t); share != float64(c.canary)/100 {
			t.Errorf("%s: the newest version gets %v of the calls", c.what, share)
		}
		if alias, left, images := s.there(t); alias != c.alias || !slices.Equal(left, c.left) || !slices.Equal(images, c.images) {
			t.Errorf("%s: the alias stands for %s, not %s; versions %v, not %v; images %v, not %v", c.what, alias, c.alias, left, c.left, images, c.images)
		}
	}
	a.calls.awaited(t, before)
	t.Run("an app that does not start", func(t *testing.T) { s.fail(t) })
}

// fail releases an image of which Lambda gets no snapshot: the alias stays where it is, apply says so then and later, and
// the next image is released.
func (s *versioned) fail(t *testing.T) {
	alias, _, _ := s.there(t)
	s.versions.mu.Lock()
	s.versions.fails = true
	s.versions.mu.Unlock()
	s.push(t)
	for _, want := range []string{"unexpected state 'Failed'", "has failed: Function failed with init error: Runtime.ExitError. (FunctionError)"} {
		out, err := s.run(s.dir, "apply", "-auto-approve", "-var=image="+s.image)
		if err == nil || !strings.Contains(flat(out), want) {
			t.Errorf("apply says of a version that failed: %v\n%s", err, complaint(out))
		}
		if now, _, _ := s.there(t); now != alias {
			t.Errorf("the alias stands for version %s, no longer for %s", now, alias)
		}
	}
	s.apply(t, "without it", alias, 0, true)
	s.push(t)
	s.apply(t, "the next image", "null", 0, true)
	if now, _, _ := s.there(t); now == alias {
		t.Errorf("the alias still stands for version %s", now)
	}
}

// awaited holds that from the n-th call on an alias is made of, or moved to, active versions alone, as the answers said.
func (c *calls) awaited(t *testing.T, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	states, moved, others := map[string]string{}, 0, 0
	note := func(version, state string) {
		if state == "" {
			return
		}
		if states[version] = state; state != "Active" {
			others++
		}
	}
	for _, call := range c.kept[n:] {
		type version struct{ Version, State string }
		var answer struct {
			version
			Configuration version
			Versions      []version
		}
		var alias struct {
			FunctionVersion string
			RoutingConfig   struct{ AdditionalVersionWeights map[string]float64 }
		}
		if !strings.HasPrefix(call.URL, "/2015-03-31/functions/") {
			continue
		}
		if strings.Contains(call.URL, "/aliases") {
			if call.Method != http.MethodPut && call.Method != http.MethodPost {
				continue
			}
			_ = json.Unmarshal(call.Request, &alias)
			for _, version := range append(slices.Collect(maps.Keys(alias.RoutingConfig.AdditionalVersionWeights)), alias.FunctionVersion) {
				if moved++; version != "$LATEST" && states[version] != "Active" {
					t.Errorf("%s %s: version %s, which is %s", call.Method, call.URL, version, cmp.Or(states[version], "not asked about"))
				}
			}
			continue
		}
		if json.Unmarshal(call.Response, &answer) == nil {
			for _, v := range append(answer.Versions, answer.version, answer.Configuration) {
				note(v.Version, v.State)
			}
		}
	}
	if moved == 0 || others == 0 {
		t.Errorf("an alias was moved %d times, a version was not active in %d answers: what is looked for?", moved, others)
	}
}

// versionsModule is module backend alone, with two versions kept.
const versionsModule = `
terraform {
  required_providers {
    aws    = { source = "hashicorp/aws", version = "6.34.0" }
    sluice = { source = "aproorg/sluice", version = "0.1.0" }
  }
}
provider "aws" { region = "eu-west-1" }
provider "sluice" { region = "eu-west-1" }
variable "image" {}
variable "release" { default = null }
variable "canary" { default = 0 }
module "backend" {
  source    = "../../modules/backend"
  name      = "releases"
  image_uri = var.image
  urls      = ["https://chat.example.com"]
  network   = { subnet_ids = [], security_group_ids = [] }
  config    = { bucket = "apro-librechat-config", key = "dev/librechat.yaml" }
  function  = { start = "snapstart" }
  secrets = { for name in ["MONGO_URI", "JWT_SECRET", "JWT_REFRESH_SECRET", "CREDS_KEY", "CREDS_IV", "REDIS_URI", "SLUICE_ORIGIN_SECRET"] :
  name => "/releases/${name}" }
  release     = var.release
  canary      = var.canary
  images_kept = 2
}
`

// versioned is the module's function with its images, by the order of their push from 1.
type versioned struct {
	*account
	dir       string
	images    *ecr.Client
	functions *lambda.Client
	digests   []string
	image     string // the newest
}

// push puts a new image into the registry.
func (s *versioned) push(t *testing.T) string {
	t.Helper()
	if len(s.digests) > 1 {
		time.Sleep(1100 * time.Millisecond) // the time of a push, by which images are ordered, has seconds
	}
	layer := "sha256:" + strings.Repeat(fmt.Sprint(len(s.digests)), 64)
	manifest := `{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":1,"digest":"` + layer +
		`"},"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","size":1,"digest":"` + layer + `"}]}`
	put, err := s.images.PutImage(t.Context(), &ecr.PutImageInput{RepositoryName: aws.String("releases"), ImageManifest: &manifest, ImageTag: aws.String(fmt.Sprint("v", len(s.digests)))})
	if err != nil {
		t.Fatal(err)
	}
	s.digests = append(s.digests, *put.Image.ImageId.ImageDigest)
	s.image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/releases@" + *put.Image.ImageId.ImageDigest
	return s.image
}

func (s *versioned) apply(t *testing.T, what, release string, canary int, again bool) {
	t.Helper()
	vars := []string{"-var=image=" + s.image, fmt.Sprint("-var=canary=", canary)}
	if release != "null" {
		vars = append(vars, "-var=release="+release)
	}
	out, err := s.run(s.dir, append([]string{"apply", "-auto-approve"}, vars...)...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", what, err, complaint(out))
	}
	if strings.Contains(out, "Warning: ") {
		t.Errorf("%s: something stays:\n%s", what, out)
	}
	if !again {
		return
	}
	if out, err := s.run(s.dir, append([]string{"plan", "-detailed-exitcode"}, vars...)...); err != nil {
		t.Errorf("%s: the second plan is not empty: %v\n%s", what, err, changes(out))
	}
}

// share is what of the calls goes to another version than that which the alias stands for.
func (s *versioned) share(t *testing.T) float64 {
	t.Helper()
	live, err := s.functions.GetAlias(t.Context(), &lambda.GetAliasInput{FunctionName: aws.String("releases"), Name: aws.String("live")})
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	if live.RoutingConfig != nil {
		for _, weight := range live.RoutingConfig.AdditionalVersionWeights {
			sum += weight
		}
	}
	return sum
}

// there are the version that the alias stands for, and all versions and images.
func (s *versioned) there(t *testing.T) (alias string, versions []string, images []int) {
	t.Helper()
	name := aws.String("releases")
	live, err := s.functions.GetAlias(t.Context(), &lambda.GetAliasInput{FunctionName: name, Name: aws.String("live")})
	if err != nil {
		t.Fatal(err)
	}
	published, err := s.functions.ListVersionsByFunction(t.Context(), &lambda.ListVersionsByFunctionInput{FunctionName: name})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range published.Versions[1:] { // $LATEST comes first
		versions = append(versions, *v.Version)
	}
	kept, err := s.images.DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: name})
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, image := range kept.ImageDetails {
		there[*image.ImageDigest] = true
	}
	for n, digest := range s.digests {
		if there[digest] {
			images = append(images, n)
		}
	}
	return *live.FunctionVersion, versions, images
}
