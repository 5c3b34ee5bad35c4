package terraform

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gopkg.in/yaml.v3"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/librechattest"
	"github.com/aproorg/sluice/internal/awsx/awsiam"
	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/testdeps"
)

var workflowFile = filepath.Join("..", "..", "docs", "examples", "github-actions.yml")

// workflow is what of a GitHub Actions workflow is looked at here.
type workflow struct {
	Env         map[string]string
	Permissions map[string]string
	Defaults    struct{ Run struct{ Shell string } }
	Jobs        map[string]job
}

type job struct {
	If          string
	Environment string
	Permissions map[string]string
	Steps       []step
}

type step struct {
	ID, Name, Uses, Run string
	With, Env           map[string]string
}

func readWorkflow(t *testing.T) workflow {
	t.Helper()
	data, err := os.ReadFile(workflowFile)
	if err != nil {
		t.Fatal(err)
	}
	var w workflow
	if err := yaml.Unmarshal(data, &w); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestWorkflow: the workflow for users fits the published schema, actionlint finds nothing,
// its actions are pinned by commit, and nothing of GitHub's is put into a command's text.
func TestWorkflow(t *testing.T) {
	t.Run("actionlint", func(t *testing.T) {
		if out, err := exec.CommandContext(t.Context(), "go", "tool", "actionlint", workflowFile).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("schema", func(t *testing.T) {
		python, packages := testdeps.Workflows(t)
		check := exec.CommandContext(t.Context(), python, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", workflowFile)
		check.Env = append(os.Environ(), "PYTHONPATH="+packages)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	w := readWorkflow(t)
	if w.Permissions == nil || len(w.Permissions) > 0 {
		t.Errorf("all jobs have %v", w.Permissions)
	}
	for name, j := range w.Jobs {
		for _, s := range j.Steps {
			if s.Uses != "" && !regexp.MustCompile(`^[\w-]+/[\w-]+@[0-9a-f]{40}$`).MatchString(s.Uses) {
				t.Errorf("%s: %s is not pinned by a commit", name, s.Uses)
			}
			if strings.Contains(s.Run, "${{") {
				t.Errorf("%s: a value of GitHub's becomes part of the command %q", name, s.Run)
			}
		}
		if j.Permissions["contents"] != "read" || j.Permissions["id-token"] != "write" {
			t.Errorf("%s has %v", name, j.Permissions)
		}
	}
	if more := len(w.Jobs["plan"].Permissions) + len(w.Jobs["deploy"].Permissions); more != 5 {
		t.Errorf("the jobs have %d permissions", more)
	}
	fork := map[string]string{"github.event_name": "pull_request", "github.event.pull_request.head.repo.full_name": "stranger/chat", "github.repository": "octocat/chat"}
	for name, j := range w.Jobs {
		if runsFor(t, j.If, fork) {
			t.Errorf("%s runs for a pull request from a fork", name)
		}
	}
}

// runsFor tells what a job's condition comes to: equalities joined by &&.
func runsFor(t *testing.T, condition string, context map[string]string) bool {
	t.Helper()
	for _, part := range strings.Split(condition, " && ") {
		left, right, ok := strings.Cut(part, " == ")
		if !ok {
			t.Fatalf("condition %q is not understood", condition)
		}
		if text, quoted := strings.CutPrefix(right, "'"); quoted {
			right = strings.TrimSuffix(text, "'")
		} else {
			right = context[right]
		}
		if context[left] != right {
			return false
		}
	}
	return true
}

// TestWorkflowRuns runs the steps of both jobs in a checkout of this repository, one after the
// other, by the shell and with the variables that GitHub gives them, in an emulated account:
// a pull request, then its merge. In place of what this machine has not:
//
//   - actions/checkout copies the repository's files, with the account's values for prod's;
//   - actions/setup-go takes the Go that is here;
//   - configure-aws-credentials asks whether the role's trust takes the token that GitHub would
//     sign for the job, and gives keys by which the emulated account does what the role's policies
//     allow;
//   - gh keeps comments in a file, and curl brings a certificate of the test's own;
//   - the distribution has no address: what is verified is a rehearsal of what was deployed, with
//     LibreChat's stand-in.
func TestWorkflowRuns(t *testing.T) {
	long(t)
	for _, program := range []string{"bash", "jq", "git", "tar"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s", program)
		}
	}
	r := newRunner(t)
	r.context = map[string]string{"github.event_name": "pull_request", "github.event.pull_request.head.repo.full_name": "octocat/chat", "github.event.pull_request.number": "7"}
	r.run(t, "plan", "repo:octocat/chat:pull_request")
	comments := r.comments(t)
	for _, want := range []string{"to create", "a month", "+ sluice_image.app"} {
		if len(comments) != 1 || !strings.Contains(comments[0], want) {
			t.Errorf("the comments do not say %q: %q", want, comments)
		}
	}
	plan := readWorkflow(t).Jobs["plan"]
	r.step(t, plan.Steps[len(plan.Steps)-1], "") // another commit
	if again := r.comments(t); !slices.Equal(again, comments) {
		t.Errorf("a second commit makes %d comments", len(again))
	}
	r.context = map[string]string{"github.event_name": "push"}
	r.run(t, "deploy", "repo:octocat/chat:environment:prod")
	if got := r.context["steps.deploy.outputs.url"]; got != "https://lambda-prod.sandbox.data.apro.is" {
		t.Errorf("the job deployed %q", got)
	}
	r.account.lawful(t)
	r.account.suffices(t)
}

// runner is GitHub's machine for one job after the other.
type runner struct {
	*program
	account *account
	root    string // of the checkout
	temp    string
	bin     string // what stands in for programs
	context map[string]string
	job     string
	trust   map[string]string // policies of the roles, by ARN
}

func newRunner(t *testing.T) *runner {
	t.Helper()
	a := separate(t)
	r := &runner{program: newProgram(t, a), account: a, root: filepath.Join(t.TempDir(), "chat"), temp: t.TempDir(), bin: t.TempDir()}
	r.roles(t)
	if err := os.Mkdir(r.root, 0o755); err != nil {
		t.Fatal(err)
	}
	const copied = `cd ../.. && git ls-files -z --cached --others --exclude-standard | tar --null -T - -cf - | tar -xf - -C "$0"`
	if out, err := exec.CommandContext(t.Context(), "bash", "-o", "pipefail", "-c", copied, r.root).CombinedOutput(); err != nil {
		t.Fatalf("check out: %v\n%s", err, out)
	}
	prod := filepath.Join(r.root, "infrastructure", "terraform", "environments", "prod")
	image := runnable(t)
	a.variables(t, prod, func(vars map[string]any) {
		vars["domain"].(map[string]any)["name"] = "lambda-prod.sandbox.data.apro.is"
		vars["image"], vars["site"] = image, image
	})
	a.override(t, prod)
	r.must(t, "init", "--dir", prod)
	a.guarded(t)
	for name, script := range map[string]string{
		"curl": `[ "$1 $3" = "-fsSo https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem" ] || exit 22
cat >"$2" <<'PEM'
` + selfSigned("authority.example")["body"] + "PEM",
		// Comments of pull request 7, one file each.
		"gh": `set -eu
dir="` + r.temp + `/comments"
mkdir -p "$dir"
body() { for a; do case $a in body=@*) cat "${a#body=@}" ;; esac; done; }
[ "$GH_TOKEN" = ghs_token ]
case "$*" in
"api --paginate repos/octocat/chat/issues/7/comments --jq "*) for f in "$dir"/*; do [ ! -e "$f" ] || jq -Rs --arg id "$(basename "$f")" '[{id: ($id | tonumber), body: .}]' "$f" | jq -r "$5"; done ;;
"api --silent --method POST repos/octocat/chat/issues/7/comments --field "*) body "$@" >"$dir/$(($(ls "$dir" | wc -l) + 1))" ;;
"api --silent --method PATCH repos/octocat/chat/issues/comments/"*) [ -e "$dir/${5##*/}" ]; body "$@" >"$dir/${5##*/}" ;;
*) exit 1 ;;
esac`,
	} {
		if err := os.WriteFile(filepath.Join(r.bin, name), []byte("#!/bin/bash\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// roles applies environments/ci as the account's owner does, and reads what the roles trust.
func (r *runner) roles(t *testing.T) {
	t.Helper()
	dir := filepath.Join(filepath.Dir(r.dev), "ci")
	values := map[string]any{"region": "eu-west-1", "repository": "octocat/chat", "vpc_id": r.account.tfvars["network"].(map[string]any)["vpc_id"],
		"zone_id": r.account.tfvars["domain"].(map[string]any)["zone_id"], "domain": "lambda-prod.sandbox.data.apro.is", "config_bucket": r.account.tfvars["config"].(map[string]any)["bucket"],
		"documentdb_security_group_id": r.account.tfvars["documentdb"].(map[string]any)["security_group_id"]}
	data, _ := json.Marshal(values)
	for name, text := range map[string]string{"terraform.tfvars.json": string(data), "trust.tf": trustOfRoles} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init"}, {"apply", "-auto-approve"}} {
		if out, err := r.account.run(dir, args...); err != nil {
			t.Fatalf("%s: %v\n%s", args[0], err, complaint(out))
		}
	}
	if out, err := r.account.run(dir, "plan", "-detailed-exitcode"); err != nil {
		t.Errorf("the second plan of environments/ci: %v\n%s", err, changes(out))
	}
	if err := r.account.output(dir, "trust", &r.trust); err != nil {
		t.Fatal(err)
	}
}

const trustOfRoles = `
data "aws_iam_role" "this" {
  for_each = toset(["plan", "deploy"])
  name     = split("/", module.github.roles[each.key])[1]
}
output "trust" { value = { for name, role in data.aws_iam_role.this : role.arn => role.assume_role_policy } }
`

// run does what GitHub does for a job whose token has the subject.
func (r *runner) run(t *testing.T, name, subject string) {
	t.Helper()
	r.context["github.repository"], r.context["github.token"] = "octocat/chat", "ghs_token"
	r.context["vars.AWS_REGION"] = "eu-west-1"
	r.context["vars.SLUICE_PLAN_ROLE"] = "arn:aws:iam::123456789012:role/librechat-prod-github-eu-west-1-plan"
	r.context["vars.SLUICE_DEPLOY_ROLE"] = "arn:aws:iam::123456789012:role/librechat-prod-github-eu-west-1-deploy"
	r.context["secrets.SLUICE_EMAIL"], r.context["secrets.SLUICE_PASSWORD"] = readerEmail, readerPassword
	r.job = name
	j := readWorkflow(t).Jobs[name]
	if !runsFor(t, j.If, r.context) {
		t.Fatalf("job %s does not run: %s", name, j.If)
	}
	for _, file := range []string{"path", "output"} {
		if err := os.WriteFile(filepath.Join(r.temp, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range j.Steps {
		r.step(t, s, subject)
	}
}

func (r *runner) step(t *testing.T, s step, subject string) {
	t.Helper()
	t.Logf("step %s%s", s.Name, s.Uses)
	if s.Uses != "" {
		action, _, _ := strings.Cut(s.Uses, "@")
		switch action {
		case "actions/checkout", "actions/setup-go": // see TestWorkflowRuns
		case "aws-actions/configure-aws-credentials":
			r.assume(t, r.value(t, s.With["role-to-assume"]), subject)
		default:
			t.Fatalf("nothing stands in for %s", s.Uses)
		}
		return
	}
	w := readWorkflow(t)
	if w.Defaults.Run.Shell != "bash" {
		t.Fatalf("the shell is %q", w.Defaults.Run.Shell)
	}
	if s.Name == "Verify" {
		r.context["steps.deploy.outputs.url"] = r.serve(t)
		defer func(url string) { r.context["steps.deploy.outputs.url"] = url }("https://lambda-prod.sandbox.data.apro.is")
	}
	script := filepath.Join(r.temp, "script.sh")
	if err := os.WriteFile(script, []byte(s.Run), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#exit-codes-and-error-action-preference
	cmd := exec.CommandContext(ctx, "bash", "--noprofile", "--norc", "-eo", "pipefail", script)
	cmd.Dir = r.root
	added, _ := os.ReadFile(filepath.Join(r.temp, "path"))
	path := strings.Join(append([]string{r.bin}, append(strings.Fields(string(added)), os.Getenv("PATH"))...), ":")
	cmd.Env = append(slices.Clone(r.env), "PATH="+path, "GITHUB_REPOSITORY=octocat/chat", "RUNNER_TEMP="+r.temp, "CI=true",
		"GITHUB_PATH="+filepath.Join(r.temp, "path"), "GITHUB_OUTPUT="+filepath.Join(r.temp, "output"), "AWS_REGION=eu-west-1")
	for _, env := range []map[string]string{w.Env, s.Env} {
		for name, value := range env {
			cmd.Env = append(cmd.Env, name+"="+r.value(t, value))
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	r.calls.runs("sluice " + r.job)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("step %s: %v\n%s", s.Name, err, out)
	}
	if s.ID != "" {
		set, _ := os.ReadFile(filepath.Join(r.temp, "output"))
		for line := range strings.Lines(string(set)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			r.context["steps."+s.ID+".outputs."+name] = value
		}
	}
}

var expression = regexp.MustCompile(`\$\{\{ *([^ }]+) *\}\}`)

// value puts GitHub's values into a text.
func (r *runner) value(t *testing.T, text string) string {
	t.Helper()
	return expression.ReplaceAllStringFunc(text, func(e string) string {
		name := expression.FindStringSubmatch(e)[1]
		value, ok := r.context[name]
		if !ok {
			t.Fatalf("%s has no value here", e)
		}
		return value
	})
}

// assume asks whether a role's trust takes the job's token, and that of no other job.
func (r *runner) assume(t *testing.T, role, subject string) {
	t.Helper()
	for _, other := range []string{"repo:octocat/chat:pull_request", "repo:octocat/chat:environment:prod", "repo:octocat/chat:ref:refs/heads/main", "repo:stranger/chat:environment:prod", "repo:octocat/chat2:pull_request"} {
		claims := map[string]string{"token.actions.githubusercontent.com:aud": "sts.amazonaws.com", "token.actions.githubusercontent.com:sub": other}
		if trusts(t, r.trust[role], claims) != (other == subject) {
			t.Errorf("%s: a token for %s is taken otherwise than it should", role, other)
		}
		claims["token.actions.githubusercontent.com:aud"] = "https://github.com/octocat"
		if trusts(t, r.trust[role], claims) {
			t.Errorf("%s takes a token for another audience", role)
		}
	}
	r.calls.becomes(r.attached(t, role[strings.LastIndex(role, "/")+1:]), false)
}

// attached has the policies that environments/ci gave to a role.
func (r *runner) attached(t *testing.T, role string) deployer {
	t.Helper()
	d := r.account.deployer(t, prodDeployer)
	d.policies = map[string]awsiam.Policy{}
	documents := map[string]string{} // by name
	r.calls.mu.Lock()
	defer r.calls.mu.Unlock()
	for _, c := range r.calls.kept {
		form := parseForm(string(c.Request))
		if form.Get("Action") == "CreatePolicy" {
			documents[form.Get("PolicyName")] = form.Get("PolicyDocument")
		}
	}
	for _, c := range r.calls.kept {
		form := parseForm(string(c.Request))
		if form.Get("Action") != "AttachRolePolicy" || form.Get("RoleName") != role {
			continue
		}
		name := form.Get("PolicyArn")
		name = name[strings.LastIndex(name, "/")+1:]
		file := strings.TrimSuffix(strings.TrimPrefix(name, "librechat-prod-deployer-"), "-eu-west-1")
		policy, err := awsiam.Parse([]byte(documents[name]))
		if err != nil {
			t.Fatalf("policy %s: %v", name, err)
		}
		d.policies[file] = policy
	}
	files := []string{"read-edge", "read-function", "read-state"}
	if strings.HasSuffix(role, "-deploy") { // whoever only plans leaves the lock alone
		files = append(files, "read-lock", "write-edge", "write-function", "write-state")
		slices.Sort(files)
	}
	if got := slices.Sorted(maps.Keys(d.policies)); !slices.Equal(got, files) {
		t.Errorf("%s has the policies %v", role, got)
	}
	return d
}

// trusts tells whether a trust policy of StringEquals alone holds for the claims of a token.
func trusts(t *testing.T, policy string, claims map[string]string) bool {
	t.Helper()
	var document struct {
		Statement []struct {
			Effect    string
			Condition map[string]map[string]any
		}
	}
	if err := json.Unmarshal([]byte(policy), &document); err != nil || len(document.Statement) != 1 || document.Statement[0].Effect != "Allow" || len(document.Statement[0].Condition) != 1 {
		t.Fatalf("the trust policy %q: %v", policy, err)
	}
	for claim, wanted := range document.Statement[0].Condition["StringEquals"] {
		values, many := wanted.([]any)
		if !many {
			values = []any{wanted}
		}
		if !slices.Contains(values, any(claims[claim])) {
			return false
		}
	}
	return len(document.Statement[0].Condition["StringEquals"]) == 2
}

// comments are what the pull request shows.
func (r *runner) comments(t *testing.T) (all []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(r.temp, "comments", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(data))
	}
	return all
}

// serve rehearses what was deployed, with LibreChat's stand-in, and returns where it is.
func (r *runner) serve(t *testing.T) string {
	t.Helper()
	out, err := r.account.run(filepath.Join(r.root, "infrastructure", "terraform", "environments", "prod"), "show", "-json")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	q := &quickstart{account: r.account, parameters: map[string]string{}}
	if q.stack, err = stack.Parse([]byte(out)); err != nil {
		t.Fatal(err)
	}
	q.environment = q.stack.Function.Environment
	for i, name := range []string{"JWT_SECRET", "JWT_REFRESH_SECRET", "CREDS_KEY"} {
		q.parameters[name] = strings.Repeat(fmt.Sprint(i), 64)
	}
	q.parameters["CREDS_IV"] = strings.Repeat("3", 32)
	q.environment["ALLOW_REGISTRATION"] = "true"
	config := "version: 1.2.1\nfileStrategy: \"s3\"\n"
	buckets := s3.NewFromConfig(q.config(), func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := buckets.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("apro-librechat-config"), Key: aws.String("dev/librechat.yaml"), Body: strings.NewReader(config)}); err != nil {
		t.Fatal(err)
	}
	return q.serve(t, librechattest.StandIn(t, t.TempDir(), facts.StreamsInPost))
}
