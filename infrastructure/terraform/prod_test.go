package terraform

import (
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
)

// linked are the files of environments/dev that environments/prod has by symbolic links.
var linked = []string{"main.tf", "outputs.tf", "variables.tf"}

// TestProdIsDev: production has no HCL of its own but its backend.
func TestProdIsDev(t *testing.T) {
	var links []string
	files, _ := filepath.Glob("environments/prod/*.tf")
	for _, file := range files {
		if to, err := os.Readlink(file); err == nil && to == "../dev/"+filepath.Base(file) {
			links = append(links, filepath.Base(file))
		}
	}
	if diff := cmp.Diff(linked, links); diff != "" || len(files) != len(linked)+1 {
		t.Errorf("environments/prod has %v, of which links to dev (-want +got):\n%s", files, diff)
	}
}

// production makes environments/prod beside an environment dev that is there, with values for
// this account: the committed ones, but for what names something that the account has to have.
func (a *account) production(t *testing.T, dev string, change func(vars map[string]any)) string {
	t.Helper()
	prod := filepath.Join(filepath.Dir(dev), "prod")
	for _, name := range linked {
		if err := os.Symlink("../dev/"+name, filepath.Join(prod, name)); err != nil {
			t.Fatal(err)
		}
	}
	a.variables(t, prod, func(vars map[string]any) {
		domain := maps.Clone(vars["domain"].(map[string]any))
		domain["name"] = "lambda-prod.sandbox.data.apro.is"
		vars["domain"] = domain
		change(vars)
	})
	a.override(t, prod)
	if err := os.Link(filepath.Join(dev, "global-bundle.pem"), filepath.Join(prod, "global-bundle.pem")); err != nil {
		t.Fatal(err)
	}
	return prod
}

// sdk is a client's configuration for the emulated account.
func (a *account) sdk(region string) aws.Config {
	return aws.Config{Region: region, BaseEndpoint: &a.endpoint, Credentials: credentials.NewStaticCredentialsProvider("testing", "testing", "")}
}

// TestProd takes environments/prod from nothing to deployed beside dev, which the same
// account has, by one command: the bucket of its state comes first. A new image gets some of
// the calls, then all of them; the destruction leaves dev as it was. Who deploys has the
// rights for one of them at a time.
func TestProd(t *testing.T) {
	long(t)
	a := separate(t)
	p := newProgram(t, a)
	image := runnable(t)
	prod := a.production(t, p.dev, func(vars map[string]any) { vars["image"], vars["site"] = image, image })
	a.guarded(t)
	ofDev, ofProd := a.deployer(t, nil), a.deployer(t, prodDeployer)
	p.must(t, "deploy", "--dir", p.dev, "--yes", "--no-verify")
	a.calls.becomes(ofProd, false)
	if out, err := p.run(t, "plan", "--dir", prod); err == nil || !strings.Contains(out, "sluice-state-123456789012-eu-west-1 does not exist") || !strings.Contains(out, "sluice init --dir") {
		t.Errorf("plan without the state's bucket: %v\n%s", err, out)
	}
	if out, err := p.run(t, "deploy", "--dir", prod, "--yes", "--no-verify"); err == nil || !strings.Contains(out, "create bucket sluice-state-") || !strings.Contains(out, "make-state") {
		t.Errorf("deploy without the right to make the state's bucket: %v\n%s", err, out)
	}
	a.calls.forgive("s3:CreateBucket")
	a.calls.becomes(ofProd, true)
	if out := p.must(t, "deploy", "--dir", prod, "--yes", "--no-verify"); !strings.Contains(out, "deployed: https://lambda-prod.sandbox.data.apro.is") || !strings.Contains(out, "a month") {
		t.Errorf("deploy says:\n%s", out)
	}
	a.calls.becomes(ofProd, false)
	t.Run("the state is in its bucket", func(t *testing.T) { a.stateThere(t) })
	t.Run("a second deploy changes nothing", func(t *testing.T) {
		if out := p.must(t, "deploy", "--dir", prod, "--yes", "--no-verify"); !strings.Contains(out, "nothing to change") {
			t.Errorf("it says:\n%s", out)
		}
	})
	t.Run("two nodes of Redis with snapshots", func(t *testing.T) {
		want := url.Values{"NumCacheClusters": {"2"}, "AutomaticFailoverEnabled": {"true"}, "MultiAZEnabled": {"true"}, "SnapshotRetentionLimit": {"7"}}
		got := url.Values{}
		a.calls.mu.Lock()
		defer a.calls.mu.Unlock()
		for _, c := range a.calls.kept {
			if form := parseForm(string(c.Request)); form.Get("Action") == "CreateReplicationGroup" && form.Get("ReplicationGroupId") == "librechat-prod" {
				for name := range want {
					got[name] = form[name]
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the group is made with (-want +got):\n%s", diff)
		}
	})
	t.Run("what was applied serves", func(t *testing.T) { p.rehearsed(t, a, prod, "librechat-prod") })
	t.Run("canary", func(t *testing.T) { p.canary(t, a, prod) })
	t.Run("destroy leaves dev", func(t *testing.T) {
		before := a.left(t)
		p.must(t, "destroy", "--dir", prod, "--yes")
		a.calls.becomes(ofDev, false)
		for _, name := range a.left(t) {
			if strings.Contains(name, "prod") {
				t.Errorf("destroy left %s", name)
			}
		}
		for _, name := range before {
			if strings.Contains(name, "dev") && !slices.Contains(a.left(t), name) {
				t.Errorf("destroy took %s along", name)
			}
		}
		if out, err := a.run(p.dev, "plan", "-detailed-exitcode"); err != nil {
			t.Errorf("dev is not as it was: %v\n%s", err, changes(out))
		}
	})
	p.must(t, "destroy", "--dir", p.dev, "--yes")
	a.lawful(t)
	a.suffices(t)
}

// stateThere looks at the bucket of the state, and for a lock that nobody holds any longer.
func (a *account) stateThere(t *testing.T) {
	client := s3.NewFromConfig(a.sdk("eu-west-1"), func(o *s3.Options) { o.UsePathStyle = true })
	bucket := aws.String("sluice-state-123456789012-eu-west-1")
	objects, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket})
	if err != nil {
		t.Fatal(err)
	}
	if len(objects.Contents) != 1 || *objects.Contents[0].Key != "prod/terraform.tfstate" {
		t.Errorf("the bucket has %+v", objects.Contents)
	}
	locked := false
	a.calls.mu.Lock()
	for _, c := range a.calls.kept {
		locked = locked || c.Method == "PUT" && strings.Contains(c.URL, "/prod/terraform.tfstate.tflock") && c.Header.Get("If-None-Match") == "*"
	}
	a.calls.mu.Unlock()
	if !locked {
		t.Error("no run has locked the state")
	}
}

// canary gives a new image some of the calls, then more, then all. TestVersions takes it back, too.
func (p *program) canary(t *testing.T, a *account, prod string) {
	second := a.otherImage(t)
	set := []string{"deploy", "--dir", prod, "--yes", "--no-verify", "--var", "image=" + second, "--var", "site=" + second}
	for _, c := range []struct {
		name    string
		args    []string
		version string
		weights map[string]float64
	}{
		{"a tenth", append(slices.Clone(set), "--canary", "10"), "1", map[string]float64{"2": 0.1}},
		{"a half", append(slices.Clone(set), "--canary", "50"), "1", map[string]float64{"2": 0.5}},
		{"all", set, "2", nil},
	} {
		out := p.must(t, c.args...)
		alias, err := lambda.NewFromConfig(a.sdk("eu-west-1")).GetAlias(t.Context(), &lambda.GetAliasInput{FunctionName: aws.String("librechat-prod"), Name: aws.String("live")})
		if err != nil {
			t.Fatal(err)
		}
		var weights map[string]float64
		if alias.RoutingConfig != nil && len(alias.RoutingConfig.AdditionalVersionWeights) > 0 {
			weights = alias.RoutingConfig.AdditionalVersionWeights
		}
		if *alias.FunctionVersion != c.version || !maps.Equal(weights, c.weights) {
			t.Errorf("%s: the alias stands for %s, and %v:\n%s", c.name, *alias.FunctionVersion, weights, out)
		}
	}
}
