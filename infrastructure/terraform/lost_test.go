package terraform

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// lost performs each create and drops the first answer of its kind, once armed: AWS has
// made what tofu never hears of. What creates without a name of the caller's (a REST
// API, a rule of a stand-in that checks no names) is made twice and shows as converged.
type lost struct {
	next http.Handler

	mu    sync.Mutex
	armed bool
	done  map[string]int // answers dropped, by operation
}

func newLost(next http.Handler) *lost { return &lost{next: next, done: map[string]int{}} }

func (l *lost) arm(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = on
}

func (l *lost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(request))
	operation := creates(r, string(request))
	l.mu.Lock()
	drop := l.armed && operation != "" && l.done[operation] == 0
	if drop {
		l.done[operation]++
	}
	l.mu.Unlock()
	if !drop {
		l.next.ServeHTTP(w, r)
		return
	}
	l.next.ServeHTTP(httptest.NewRecorder(), r)
	if connection, _, err := w.(http.Hijacker).Hijack(); err == nil {
		connection.Close()
	}
}

// rest are the creates of services that say by method and path what is asked.
var rest = map[string]*regexp.Regexp{
	"lambda:CreateFunction":                  regexp.MustCompile(`^POST /2015-03-31/functions/?$`),
	"lambda:AddPermission":                   regexp.MustCompile(`^POST /2015-03-31/functions/[^/]+/policy$`),
	"s3:CreateBucket":                        regexp.MustCompile(`^PUT /[a-z0-9.-]+/?$`),
	"apigateway:CreateRestApi":               regexp.MustCompile(`^POST /restapis$`),
	"apigateway:CreateResource":              regexp.MustCompile(`^POST /restapis/\w+/resources/\w+$`),
	"apigateway:PutMethod":                   regexp.MustCompile(`^PUT /restapis/\w+/resources/\w+/methods/\w+$`),
	"apigateway:PutMethodResponse":           regexp.MustCompile(`^PUT /restapis/\w+/resources/\w+/methods/\w+/responses/\d+$`),
	"apigateway:PutIntegration":              regexp.MustCompile(`^PUT /restapis/\w+/resources/\w+/methods/\w+/integration$`),
	"apigateway:CreateDeployment":            regexp.MustCompile(`^POST /restapis/\w+/deployments$`),
	"apigateway:CreateStage":                 regexp.MustCompile(`^POST /restapis/\w+/stages$`),
	"apigateway:CreateApiKey":                regexp.MustCompile(`^POST /apikeys$`),
	"apigateway:CreateUsagePlan":             regexp.MustCompile(`^POST /usageplans$`),
	"cloudfront:CreateFunction":              regexp.MustCompile(`^POST /2020-05-31/function$`),
	"cloudfront:CreateDistribution":          regexp.MustCompile(`^POST /2020-05-31/distribution$`),
	"cloudfront:CreateOriginAccessControl":   regexp.MustCompile(`^POST /2020-05-31/origin-access-control$`),
	"cloudfront:CreateResponseHeadersPolicy": regexp.MustCompile(`^POST /2020-05-31/response-headers-policy$`),
	"route53:ChangeResourceRecordSets":       regexp.MustCompile(`^POST /2013-04-01/hostedzone/\w+/rrset/?$`),
}

var byAction = regexp.MustCompile(`^(Create(Role|SecurityGroup|ReplicationGroup|CacheSubnetGroup)|PutRolePolicy|AuthorizeSecurityGroup(Egress|Ingress))$`)

// creates is the create that a request asks for, or "".
func creates(r *http.Request, request string) string {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		operation := target[strings.LastIndex(target, ".")+1:]
		if slices.Contains([]string{"CreateLogGroup", "CreateRepository", "PutParameter"}, operation) {
			return operation
		}
		return ""
	}
	if action := parseForm(request).Get("Action"); byAction.MatchString(action) {
		return action
	}
	for operation, pattern := range rest {
		if r.URL.RawQuery == "" && pattern.MatchString(r.Method+" "+r.URL.Path) {
			return operation
		}
	}
	return ""
}

// TestLostAnswers deploys while the first answer of every kind of create is lost, and
// then again, running each `tofu import` that sluice prints, until a run has nothing to
// complain of. It takes minutes, and the aws program for the lookups of ids:
//
//	SLUICE_MATRIX=1 go test ./infrastructure/terraform -run TestLostAnswers -v -timeout 60m
func TestLostAnswers(t *testing.T) {
	if os.Getenv("SLUICE_MATRIX") == "" {
		t.Skip("it takes minutes: SLUICE_MATRIX=1 go test ./infrastructure/terraform -run TestLostAnswers -v -timeout 60m")
	}
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("no aws, which the printed commands call: pip install awscli")
	}
	a := separate(t)
	p := newProgram(t, a)
	a.lost.arm(true)
	for run := 1; ; run++ {
		began := time.Now()
		out, err := p.run(t, "deploy", "--dir", p.dev, "--yes", "--no-verify")
		t.Logf("run %d took %v: %v", run, time.Since(began).Round(time.Second), err)
		if err == nil {
			break
		}
		commands := regexp.MustCompile(`(?m)^ *(tofu -chdir=\S+ import .*)$`).FindAllStringSubmatch(out, -1)
		for _, fault := range regexp.MustCompile(`(?m)^.*(?i:already ?exist|AlreadyOwned|Duplicate|already has).*$`).FindAllString(out, -1) {
			t.Logf("  %.300s", fault)
		}
		if len(commands) == 0 && !strings.Contains(out, "run this again") || run == 8 {
			t.Fatalf("no way on:\n%s", out)
		}
		for _, command := range commands {
			t.Logf("  %s", command[1])
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			cmd := exec.CommandContext(ctx, "sh", "-c", command[1])
			cmd.Env = append(slices.Clone(p.env), "AWS_DEFAULT_REGION=eu-west-1")
			said, err := cmd.CombinedOutput()
			cancel()
			if err != nil {
				t.Errorf("%s: %v\n%s", command[1], err, complaint(string(said)))
			}
		}
	}
	for _, operation := range slices.Sorted(maps.Keys(a.lost.done)) {
		t.Logf("| %s | answer lost | deployed |", operation)
	}
	if out, err := p.run(t, "deploy", "--dir", p.dev, "--yes", "--no-verify"); err != nil || !strings.Contains(out, "nothing to change") {
		t.Errorf("a further run: %v\n%s", err, out)
	}
}
