package awsiam

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/testdeps"
)

func TestAllows(t *testing.T) {
	const allow = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": %s, "Resource": %s, "Condition": %s}]}`
	for _, c := range []struct {
		action, resource, condition string
		request                     Request
		want                        bool
	}{
		{`"s3:Get*"`, `"arn:aws:s3:::a/*"`, `{}`, Request{Action: "s3:getobject", Resource: "arn:aws:s3:::a/b/c"}, true},
		{`"s3:Get*"`, `"arn:aws:s3:::a/*"`, `{}`, Request{Action: "s3:PutObject", Resource: "arn:aws:s3:::a/b"}, false},
		{`"s3:GetObject"`, `"arn:aws:s3:::a/*"`, `{}`, Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::A/b"}, false},
		{`["a:B", "a:C"]`, `["arn:aws:a:::x", "*"]`, `{}`, Request{Action: "a:C", Resource: "*"}, true},
		{`"a:B"`, `"*"`, `{"StringEquals": {"aws:RequestedRegion": ["r", "s"]}}`, Request{Action: "a:B", Resource: "*", Context: map[string][]string{"aws:requestedregion": {"s"}}}, true},
		{`"a:B"`, `"*"`, `{"StringEquals": {"aws:RequestedRegion": "r"}}`, Request{Action: "a:B", Resource: "*"}, false},
		{`"a:B"`, `"*"`, `{"StringEqualsIfExists": {"aws:RequestedRegion": "r"}}`, Request{Action: "a:B", Resource: "*"}, true},
		{`"a:B"`, `"*"`, `{"StringEquals": {"a": "1", "b": "2"}}`, Request{Action: "a:B", Resource: "*", Context: map[string][]string{"a": {"1"}, "b": {"3"}}}, false},
		{`"a:B"`, `"*"`, `{"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}`, Request{Action: "a:B", Resource: "*", Context: map[string][]string{"aws:TagKeys": {"a", "c"}}}, false},
		{`"a:B"`, `"*"`, `{"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}`, Request{Action: "a:B", Resource: "*"}, true},
		{`"a:B"`, `"*"`, `{"ForAnyValue:StringEquals": {"aws:TagKeys": ["a", "b"]}}`, Request{Action: "a:B", Resource: "*", Context: map[string][]string{"aws:TagKeys": {"a", "c"}}}, true},
		{`"a:B"`, `"*"`, `{"ArnLike": {"x": "arn:aws:*:::c"}}`, Request{Action: "a:B", Resource: "*", Context: map[string][]string{"x": {"arn:aws:a:b::c"}}}, false}, // a star stays in its part
	} {
		p, err := Parse(fmt.Appendf(nil, allow, c.action, c.resource, c.condition))
		if err != nil {
			t.Fatal(err)
		}
		if got := Allows([]Policy{p}, c.request); got != c.want {
			t.Errorf("%s on %s where %s: %+v: %v", c.action, c.resource, c.condition, c.request, got)
		}
	}
	deny, _ := Parse([]byte(`{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::a/secret"}]}`))
	all, _ := Parse([]byte(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}`))
	if Allows([]Policy{all, deny}, Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::a/secret"}) || !Allows([]Policy{all, deny}, Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::a/b"}) {
		t.Error("a statement that denies wins, where it matches")
	}
	for _, unknown := range []string{`"Condition": {"IpAddress": {"aws:SourceIp": "::1"}}`, `"NotAction": "a:b"`, `"Condition": {"StringNotEquals": {"a": "b"}}`} {
		if _, err := Parse([]byte(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "a:b", "Resource": "*", ` + unknown + `}]}`)); err == nil {
			t.Errorf("%s is read", unknown)
		}
	}
	if _, err := Parse([]byte(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "a:b", "Resource": "arn:aws:s3:::${aws:username}"}]}`)); err == nil {
		t.Error("a policy variable is read")
	}
}

// decide is Principal Mapper's opinion of requests. It imports names of collections that
// Python 3.10 has moved.
const decide = `
import collections, collections.abc, json, sys
collections.Mapping, collections.MutableMapping = collections.abc.Mapping, collections.abc.MutableMapping
from principalmapper.querying.local_policy_simulation import policy_has_matching_statement as matches
from principalmapper.util.case_insensitive_dict import CaseInsensitiveDict
for c in json.load(sys.stdin):
    ask = (c["action"], c["resource"], CaseInsensitiveDict(c["context"]))
    print(int(matches(c["policy"], "Allow", *ask) and not matches(c["policy"], "Deny", *ask)))
`

// TestAgainstPrincipalMapper holds decisions against those of NCC Group's Principal Mapper,
// over policies and requests out of a few words that often meet.
func TestAgainstPrincipalMapper(t *testing.T) {
	python, packages := testdeps.IAM(t, "principalmapper")
	type test struct {
		Policy   json.RawMessage     `json:"policy"`
		Action   string              `json:"action"`
		Resource string              `json:"resource"`
		Context  map[string][]string `json:"context"`
	}
	random := rand.New(rand.NewPCG(1, 2))
	one := func(of ...string) string { return of[random.IntN(len(of))] }
	list := func(of ...string) []string {
		texts := []string{one(of...)}
		for random.IntN(3) == 0 {
			texts = append(texts, one(of...))
		}
		return texts
	}
	arns := []string{"arn:aws:s3:::a", "arn:aws:s3:::a/b", "arn:aws:s3:::ab/c", "arn:aws:lambda:r:1:function:f", "arn:aws:lambda:r:1:function:f:live"}
	patterns := append([]string{"*", "arn:aws:s3:::a*", "arn:aws:s3:::?/b", "arn:aws:*:f", "arn:aws:lambda:r:1:function:*", "arn:*live"}, arns...)
	values := []string{"x", "xy", "y", "X"}
	var tests []test
	for range 3000 {
		var statements []map[string]any
		for range 1 + random.IntN(3) {
			s := map[string]any{"Effect": one("Allow", "Allow", "Allow", "Deny"), "Action": list("s3:Get*", "s3:GetObject", "S3:PutObject", "lambda:*", "*", "s3:?etObject"), "Resource": list(patterns...)}
			if random.IntN(2) == 0 {
				operator := one("StringEquals", "StringLike", "StringEqualsIfExists", "StringLikeIfExists", "ForAllValues:StringEquals", "ForAnyValue:StringEquals")
				s["Condition"] = map[string]any{operator: map[string]any{one("aws:K", "aws:k", "aws:L"): list("x", "y", "x*", "?")}}
			}
			if random.IntN(5) == 0 {
				s["Condition"] = map[string]any{one("ArnEquals", "ArnLike"): map[string]any{"aws:Arn": list(arns...)}}
			}
			statements = append(statements, s)
		}
		policy, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
		context := map[string][]string{}
		for _, key := range []string{"aws:K", "aws:L"} {
			if random.IntN(3) > 0 {
				context[key] = list(values...)
			}
		}
		if random.IntN(2) == 0 {
			context["aws:Arn"] = []string{one(arns...)}
		}
		tests = append(tests, test{policy, one("s3:GetObject", "s3:getobject", "s3:PutObject", "lambda:InvokeFunction"), one(arns...), context})
	}
	input, _ := json.Marshal(tests)
	cmd := exec.CommandContext(t.Context(), python, "-c", decide)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+packages)
	cmd.Stdin = strings.NewReader(string(input))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	decisions := strings.Fields(string(out))
	if len(decisions) != len(tests) {
		t.Fatalf("%d decisions of %d requests", len(decisions), len(tests))
	}
	allowed := 0
	for i, c := range tests {
		p, err := Parse(c.Policy)
		if err != nil {
			t.Fatal(err)
		}
		got := Allows([]Policy{p}, Request{Action: c.Action, Resource: c.Resource, Context: c.Context})
		if got != (decisions[i] == "1") {
			t.Errorf("%s %s on %s with %v: %v here, %s there", c.Policy, c.Action, c.Resource, c.Context, got, decisions[i])
		}
		if got {
			allowed++
		}
	}
	t.Logf("%d requests, %d of them allowed", len(tests), allowed)
}
