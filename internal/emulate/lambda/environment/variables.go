package environment

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aproorg/sluice/internal/stack"
)

// reserved names cannot be configured on a function.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
var reserved = []string{
	"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
	"AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
	"AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
	"AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", "AWS_LAMBDA_MAX_CONCURRENCY",
}

var variableName = regexp.MustCompile(`^[a-zA-Z]([a-zA-Z0-9_])+$`)

// CheckVariables refuses variables of a function that Lambda would refuse. limit is in bytes.
func CheckVariables(env map[string]string, limit int) error {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if slices.Contains(reserved, name) {
			return fmt.Errorf("function's environment: Lambda reserves the name %s; remove it from the function's variables", name)
		}
		if !variableName.MatchString(name) {
			return fmt.Errorf("function's environment: Lambda takes no variable named %q; use a letter, then letters, digits and underscores, two characters at least", name)
		}
	}
	if size := stack.EnvironmentSize(env); size > limit {
		return fmt.Errorf("function's environment: %d bytes as JSON, Lambda takes %d; move values to SSM Parameter Store", size, limit)
	}
	return nil
}

// variables are what the processes of an environment see. The base (PATH, HOME and
// the like, from the image or the caller) comes first, then what is configured,
// then Lambda's own, which nothing can override.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
func (e *Environment) variables() []string {
	f := e.cfg.Function
	vars := map[string]string{
		"LANG": "en_US.UTF-8", "TZ": ":UTC", "PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
		"AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
	}
	for _, v := range e.cfg.Process.Env {
		if name, value, ok := strings.Cut(v, "="); ok {
			vars[name] = value
		}
	}
	// The one variable that Lambda does not set: the name that the timeline shows.
	vars["SLUICE_ENVIRONMENT"] = e.id
	maps.Copy(vars, f.Environment)
	maps.Copy(vars, map[string]string{
		"AWS_LAMBDA_RUNTIME_API":          e.api.Address(),
		"AWS_LAMBDA_FUNCTION_NAME":        f.FunctionName,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(f.MemorySize),
		"AWS_LAMBDA_FUNCTION_VERSION":     e.cfg.Version,
		"AWS_LAMBDA_INITIALIZATION_TYPE":  e.initializationType(),
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/" + f.FunctionName,
		"AWS_LAMBDA_LOG_STREAM_NAME":      e.logStream,
		"AWS_REGION":                      e.cfg.Region,
		"AWS_DEFAULT_REGION":              e.cfg.Region,
		"LAMBDA_TASK_ROOT":                e.taskRoot,
		"LAMBDA_RUNTIME_DIR":              "/var/runtime",
		"_HANDLER":                        e.cfg.Process.Handler,
	})
	if e.cfg.SnapStart != nil {
		e.forSnapshot(vars)
	} else {
		maps.Copy(vars, e.cfg.Credentials.variables())
	}
	out := make([]string, 0, len(vars))
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		out = append(out, name+"="+vars[name])
	}
	return out
}

func (e *Environment) initializationType() string {
	switch {
	case e.cfg.SnapStart != nil:
		return "snap-start"
	case e.provisioned:
		return "provisioned-concurrency"
	}
	return "on-demand"
}

// Credentials are what the role's temporary credentials look like to the
// function. The zero value is a set of made-up ones that no AWS service takes.
type Credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }

func (c Credentials) orMadeUp() Credentials {
	if c.AccessKeyID == "" {
		return Credentials{"ASIAREHEARSALREHEARS", "rehearsal+secret+access+key+no+AWS+takes", "rehearsal-session-token"}
	}
	return c
}

func (c Credentials) variables() map[string]string {
	c = c.orMadeUp()
	return map[string]string{
		"AWS_ACCESS_KEY_ID":     c.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": c.SecretAccessKey,
		"AWS_SESSION_TOKEN":     c.SessionToken,
	}
}
