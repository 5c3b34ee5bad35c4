package terraform

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/awsx/awsiam"
	"github.com/aproorg/sluice/internal/testdeps"
)

// caller is code that calls AWS by the function's role, the services it calls, and what it
// calls them for.
type caller struct {
	name      string
	folders   []string
	files     *regexp.Regexp
	calls     *regexp.Regexp // service or nothing, and operation
	resources map[string][]string
}

const (
	filesBucket  = "arn:aws:s3:::librechat-dev-files-123456789012-eu-west-1"
	configObject = "arn:aws:s3:::apro-librechat-config/dev/librechat.yaml"
	ownParameter = "arn:aws:ssm:eu-west-1:123456789012:parameter/librechat-dev/REDIS_URI"
)

func functionCallers() []caller {
	callers := []caller{
		{"the bootstrap's cold start", []string{"../../internal/bootstrap/coldstart"}, regexp.MustCompile(`\.go$`), regexp.MustCompile(`&(s3|ssm)\.(\w+)Input\{`),
			map[string][]string{"s3": {configObject}, "ssm": {ownParameter}}},
		{"the bootstrap's uploads", []string{"../../internal/bootstrap/uploads"}, regexp.MustCompile(`\.go$`), regexp.MustCompile(`&(s3|ssm)\.(\w+)Input\{`),
			map[string][]string{"s3": {filesBucket + "/staging/a"}}},
	}
	for _, dir := range filepath.SplitList(os.Getenv("SLUICE_LIBRECHAT_DIR")) {
		callers = append(callers, caller{"LibreChat in " + filepath.Base(dir), []string{filepath.Join(dir, "packages/api/src/storage/s3"), filepath.Join(dir, "packages/api/src/cdn"), filepath.Join(dir, "api/server/services/Files/S3")},
			regexp.MustCompile(`\.(js|ts)$`), regexp.MustCompile(`new ()(\w+)Command\(`), map[string][]string{"s3": {filesBucket + "/images/user/file.png"}}})
	}
	return callers
}

// operations are the calls in the caller's code, as service:operation.
func (c caller) operations(t *testing.T) (found []string) {
	t.Helper()
	for _, folder := range c.folders {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !c.files.MatchString(path) || strings.Contains(path, "_test.") || strings.Contains(path, "__tests__") || strings.Contains(path, ".spec.") {
				return nil // a folder that one release has and another lacks
			}
			code, err := os.ReadFile(path)
			for _, call := range c.calls.FindAllSubmatch(code, -1) {
				service := string(call[1])
				if service == "" {
					service = "s3"
				}
				if operation := service + ":" + string(call[2]); !slices.Contains(found, operation) {
					found = append(found, operation)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// unasked are actions of the function's role that no code here asks for, each with the reason.
var unasked = map[string]string{
	"logs:CreateLogStream":           byLambda, // https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
	"logs:PutLogEvents":              byLambda,
	"ec2:CreateNetworkInterface":     byLambda, // https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
	"ec2:DescribeNetworkInterfaces":  byLambda,
	"ec2:DescribeSubnets":            byLambda,
	"ec2:DeleteNetworkInterface":     byLambda,
	"ec2:AssignPrivateIpAddresses":   byLambda,
	"ec2:UnassignPrivateIpAddresses": byLambda,
	"kms:Decrypt":                    "Parameter Store and S3 ask for it in the caller's name",
	"s3:ListBucket":                  "without it S3 answers 403 where an object is missing, and LibreChat takes 404 alone for one that is gone (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html)",
}

const byLambda = "Lambda itself asks for it by the role"

// functionRole holds the policies of the function's role against the calls in the code that
// has the role: each is allowed on what it is for, and no action is there without one.
func functionRole(t *testing.T, found []policy) {
	t.Helper()
	_, packages := testdeps.IAM(t)
	r := &rights{newJudge(t), newSentry(t, packages), nil}
	var role []awsiam.Policy
	for _, p := range found {
		if strings.HasSuffix(p.name, " of role librechat-dev-eu-west-1") && strings.HasPrefix(p.name, "policy ") {
			parsed, err := awsiam.Parse([]byte(p.document))
			if err != nil {
				t.Fatal(err)
			}
			role = append(role, parsed)
		}
	}
	if len(role) == 0 {
		t.Fatal("nobody put a policy on the function's role")
	}
	asked, n := map[string]bool{}, 0
	for _, c := range functionCallers() {
		operations := c.operations(t)
		if len(operations) == 0 {
			t.Errorf("%s calls nothing: what is looked for?", c.name)
		}
		for _, operation := range operations {
			service, name, _ := strings.Cut(operation, ":")
			action, err := r.action(service, name, "")
			if err != nil {
				t.Error(err)
				continue
			}
			n++
			asked[action] = true
			for _, resource := range c.resources[service] {
				if !awsiam.Allows(role, ask{Action: action, Resource: resource}) {
					t.Errorf("%s calls %s, and its role lacks %s on %s", c.name, operation, action, resource)
				}
			}
		}
	}
	for _, p := range role {
		for _, s := range p.Statement {
			for _, action := range s.Action {
				if !asked[action] && unasked[action] == "" && s.Effect == "Allow" {
					t.Errorf("%s: nothing asks for %s", s.Sid, action)
				}
			}
		}
	}
	t.Logf("%d calls of %d programs; %d actions without one", n, len(functionCallers()), len(unasked))
}
