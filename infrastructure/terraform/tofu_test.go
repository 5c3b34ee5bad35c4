package terraform

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/aproorg/sluice/internal/stack"
)

// planned is the plan of environments/dev, and what `tofu plan` printed.
func (a *account) planned(t *testing.T, dev string) (*tfjson.Plan, []byte) {
	t.Helper()
	said, err := a.run(dev, "plan", "-out=plan")
	if err != nil {
		t.Fatalf("plan: %v\n%s", err, complaint(said))
	}
	if _, warning, ok := strings.Cut(said, "Warning: "); ok {
		t.Errorf("the plan warns of what nobody here can act on: %.500s", warning)
	}
	out, err := a.run(dev, "show", "-json", "plan")
	if err != nil {
		t.Fatalf("show: %v\n%s", err, out)
	}
	plan := new(tfjson.Plan)
	if err := json.Unmarshal([]byte(out), plan); err != nil {
		t.Fatal(err)
	}
	return plan, []byte(out)
}

// TestApply applies environments/dev, plans again, uploads what an owner would
// have there, and destroys. gaps_test.go lists what moto cannot do.
func TestApply(t *testing.T) {
	a := emulated(t)
	a.guarded(t)
	dev := a.environment(t, a.asApplied)
	applied, err := a.run(dev, "apply", "-auto-approve")
	if err != nil {
		t.Fatalf("apply: %v\n%s", err, complaint(applied))
	}
	t.Run("no secret in the log of apply", func(t *testing.T) {
		state, err := os.ReadFile(filepath.Join(dev, "terraform.tfstate"))
		if err != nil {
			t.Fatal(err)
		}
		made := regexp.MustCompile(`rediss://:([0-9a-f-]{72})@`).FindSubmatch(state)
		if made == nil {
			t.Fatal("the state has no password of Redis: what is looked for?")
		}
		if strings.Contains(applied, string(made[1])) {
			t.Error("apply prints Redis's password")
		}
	})
	t.Run("second plan is empty", func(t *testing.T) {
		out, err := a.run(dev, "plan", "-detailed-exitcode")
		if err != nil {
			t.Errorf("%v\n%s", err, changes(out))
		}
	})
	t.Run("state reads as a stack", func(t *testing.T) {
		out, err := a.run(dev, "show", "-json")
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		s, err := stack.Parse([]byte(out))
		if err != nil {
			t.Fatal(err)
		}
		if s.RestAPI.StageName != "live" || len(s.RestAPI.Resources) != 5 || len(s.Distribution.Origins) != 2 || s.Function.Environment["SLUICE_SECRETS"] == "" {
			t.Errorf("the state reads as %+v", s)
		}
		files := slices.IndexFunc(s.Buckets, func(b stack.Bucket) bool { return b.Role == stack.RoleFiles })
		if files < 0 || len(s.Buckets[files].CORSRules) != 1 {
			t.Fatalf("the buckets read as %+v", s.Buckets)
		}
		origins := s.Buckets[files].CORSRules[0].AllowedOrigins
		own := slices.DeleteFunc(slices.Clone(origins), func(o string) bool { return !regexp.MustCompile(`^https://[a-z0-9]+\.cloudfront\.net$`).MatchString(o) })
		if len(origins) != 2 || len(own) != 1 || !slices.Contains(origins, "https://"+s.Distribution.Aliases[0]) {
			t.Errorf("pages of %q may use the bucket of files, want those of %q and of CloudFront's own name", origins, s.Distribution.Aliases)
		}
		for _, secret := range regexp.MustCompile(`"triggers_replace":\s*"([^"]+)"`).FindAllStringSubmatch(out, -1) {
			for name, value := range s.Function.Environment {
				if strings.Contains(value, secret[1]) {
					t.Errorf("the function's %s holds a secret", name)
				}
			}
		}
	})
	t.Run("what is tainted is deleted before it is created", func(t *testing.T) { a.taintedPlan(t, dev) })
	t.Run("what is tainted is made anew", func(t *testing.T) { a.taintedApply(t, dev, handful...) })
	a.makeChanges(t, dev, func(c change) bool { return c.ci })
	a.fill(t)
	t.Run("destroy leaves nothing", func(t *testing.T) {
		out, err := a.run(dev, "destroy", "-auto-approve")
		if err != nil {
			t.Errorf("destroy: %v\n%s", err, complaint(out))
		}
		if a.network.freed == 0 || len(a.network.stuck) > 0 {
			t.Errorf("Lambda gave the interfaces of %d groups back, and lacked the right for %v", a.network.freed, a.network.stuck)
		}
		state, _ := os.ReadFile(filepath.Join(dev, "terraform.tfstate"))
		if strings.Contains(string(state), `"mode": "managed"`) {
			t.Errorf("state still holds resources:\n%s", state)
		}
	})
	a.judged(t)
}

// sharedCertificate is a domain with a certificate that has it beside its main name.
func (a *account) sharedCertificate(vars map[string]any) {
	domain := vars["domain"].(map[string]any)
	domain["certificate_arn"] = a.options["shared_certificate"]
}

// asApplied has a shared certificate, and what is optional: the alarms, and limits of requests.
func (a *account) asApplied(vars map[string]any) {
	a.sharedCertificate(vars)
	vars["monitoring"] = map[string]any{"alarm_actions": []string{"arn:aws:sns:eu-west-1:123456789012:alarms"}}
	vars["throttling"] = map[string]any{"rate_limit": 50, "burst_limit": 100}
}

// complaint is what tofu printed from its first error on.
func complaint(out string) string {
	if i := strings.Index(out, "panic: "); i >= 0 {
		return out[i:]
	}
	if i := strings.Index(out, "Error: "); i >= 0 {
		return out[i:]
	}
	return out
}

// flat is what a program said in one line, without the frames around its errors.
func flat(out string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("│", "", "╵", "", "╷", "").Replace(out)), " ")
}

// changes are the lines of a plan that name a changed resource or attribute.
func changes(out string) string {
	return strings.Join(regexp.MustCompile(`(?m)^ *(# .*|[~+-].*|-/\+ .*|Error: .*)$`).FindAllString(out, -1), "\n")
}
