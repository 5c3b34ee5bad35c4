package terraform

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/awsx/awsmodel"
	"github.com/aproorg/sluice/internal/testdeps"
)

// judge holds calls against AWS's own models of them.
type judge struct {
	data     string // of botocore
	services map[string]*awsmodel.Service
}

func newJudge(t *testing.T) *judge {
	return &judge{data: filepath.Join(testdeps.Botocore(t), "data"), services: map[string]*awsmodel.Service{}}
}

// models are the folders of services that sign by another name.
var models = map[string]string{"monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi"}

var signedFor = regexp.MustCompile(`Credential=[^/]+/\d+/[^/]*/([^/]+)/aws4_request`)

// service is the model of the service that a call is signed for.
func (j *judge) service(c call) (string, *awsmodel.Service, error) {
	found := signedFor.FindStringSubmatch(c.Header.Get("Authorization"))
	if found == nil {
		return "", nil, fmt.Errorf("%s %s is not signed", c.Method, c.URL)
	}
	name := found[1]
	switch {
	case models[name] != "":
		name = models[name]
	case name == "s3" && strings.Contains(c.URL, "/v20180820/"):
		name = "s3control"
	}
	if j.services[name] == nil {
		s, err := awsmodel.Load(j.data, name)
		if err != nil {
			return name, nil, err
		}
		j.services[name] = s
	}
	return name, j.services[name], nil
}

// verdict is what the models say of all calls.
type verdict struct {
	operations map[string]int      // calls, by operation
	refused    map[string][]string // calls of each fault
	answers    map[string][]string // answers that do not fit, likewise
}

// wrongModels are refusals of a model that AWS itself does not keep to, each with the source.
var wrongModels = []struct{ fault, why string }{
	{`s3control:ListTagsForResource ResourceArn: "arn:aws:s3:::`, "a general purpose bucket has no region in its ARN " +
		"(https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-arn-format.html), which the pattern wants; tags of such buckets are read by this call " +
		"(https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_ListTagsForResource.html)"},
	{`s3control:UntagResource ResourceArn: "arn:aws:s3:::`, "as with ListTagsForResource; tags of such buckets are taken away by this call " +
		"(https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_UntagResource.html)"},
}

// motoAnswers are what of the emulated answers fits no model. None of it is a thing that a
// deployment reads.
var motoAnswers = []struct{ fault, why string }{
	{"acm:ListTagsForCertificate Tags: 0 items", "moto gives an empty list for none"},
	{"route53:ListTagsForResource ResourceTagSet.Tags: 0 items", "moto gives an empty list for none"},
	{"acm:ListCertificates CertificateSummaryList[].", "moto adds members of a certificate's description"},
	{"apigateway:CreateDeployment stageName: no member", "moto adds it"},
	{"apigateway:GetDeployment stageName: no member", "moto adds it"},
	{"apigateway:GetDeployments items[].stageName: no member", "moto adds it"},
	{"cloudfront:ListOriginAccessControls2020_05_31 OriginAccessControlList.Marker: this is required", "moto leaves it out"},
	{"cloudfront:ListResponseHeadersPolicies2020_05_31 ResponseHeadersPolicyList.Items[].ResponseHeadersPolicy.LastModifiedTime: this is required", "moto leaves it out"},
	{"ecr:BatchDeleteImage imageIds: 0 items", "moto gives an empty list for none"},
	{"route53:CreateHostedZone HostedZone.Id: 34 characters", "moto makes up too long an id"},
	{"route53:GetHostedZone HostedZone.Id: 34 characters", "moto makes up too long an id"},
	{"route53:ListHostedZones HostedZones[].Id: 34 characters", "moto makes up too long an id"},
	{"route53:ListHostedZones Marker: this is required", "moto leaves it out"},
	{"s3:GetBucketRequestPayment ", "moto answers with a list of objects"},
	{"s3:CreateBucket error AccessDenied", "S3 has it for every operation, and in no model (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList)"},
	{"servicediscovery:GetNamespace Namespace.UpdateDate: no member", "moto adds it"},
	{"servicediscovery:ListNamespaces Namespaces[].UpdateDate: no member", "moto adds it"},
	{"servicediscovery:ListNamespaces Namespaces[].CreatorRequestId: no member", "moto adds it"},
}

// calls holds each call and its answer against the model.
func (j *judge) calls(calls []call) verdict {
	v := verdict{map[string]int{}, map[string][]string{}, map[string][]string{}}
	for _, c := range calls {
		name, service, err := j.service(c)
		if err != nil {
			v.refused[err.Error()] = append(v.refused[err.Error()], c.Phase)
			continue
		}
		r, err := http.NewRequest(c.Method, c.URL, nil)
		if err != nil {
			v.refused[err.Error()] = append(v.refused[err.Error()], c.Phase)
			continue
		}
		r.Header = c.Header
		asked, faults, err := service.Request(r, c.Request)
		if err != nil {
			said := name + ": " + err.Error()
			v.refused[said] = append(v.refused[said], c.Phase)
			continue
		}
		operation := name + ":" + asked.Operation.Name
		v.operations[operation]++
		for _, said := range unwritten(operation, asked.Input) {
			said = operation + " " + said
			v.refused[said] = append(v.refused[said], fmt.Sprintf("%s: %s %s %.600s", c.Phase, c.Method, c.URL, c.Request))
		}
		for _, fault := range faults {
			said := operation + " " + fault.String()
			v.refused[said] = append(v.refused[said], fmt.Sprintf("%s by %s: %s %s %.600s", c.Phase, c.Header.Get("User-Agent"), c.Method, c.URL, c.Request))
		}
		if c.Status >= 300 {
			if code, modelled := service.Error(asked.Operation, c.ResponseHeader, c.Response); !modelled && c.Method != http.MethodHead { // which has no body to say it
				said := operation + " error " + code
				v.answers[said] = append(v.answers[said], fmt.Sprintf("%s %s %d %.300s", c.Method, c.URL, c.Status, c.Response))
			}
			continue
		}
		_, faults = service.Response(asked.Operation, r, c.Status, c.ResponseHeader, c.Response)
		for _, fault := range faults {
			said := operation + " " + indexes.ReplaceAllString(fault.String(), "[]")
			v.answers[said] = append(v.answers[said], fmt.Sprintf("%s %s %.300s", c.Method, c.URL, c.Response))
		}
	}
	return v
}

var indexes = regexp.MustCompile(`\[\d+\]`)

// judged holds what the account was asked so far, for environments/dev in eu-west-1, against AWS's
// models, and against the rights of the deployer and of the function.
func (a *account) judged(t *testing.T) {
	a.lawful(t)
	t.Run("the function's role has what its code calls", func(t *testing.T) {
		a.calls.mu.Lock()
		defer a.calls.mu.Unlock()
		functionRole(t, policies(a.calls.kept))
	})
	a.suffices(t)
}

// suffices says what the guard has refused, in an account that is guarded.
func (a *account) suffices(t *testing.T) {
	t.Run("the deployer's rights suffice", func(t *testing.T) { a.calls.guard.report(t) })
}

// lawful holds what the account was asked so far, for any environment, against AWS's models.
func (a *account) lawful(t *testing.T) {
	t.Run("AWS takes every call", func(t *testing.T) {
		j := newJudge(t)
		a.calls.mu.Lock()
		defer a.calls.mu.Unlock()
		j.calls(a.calls.kept).report(t)
	})
	t.Run("IAM acts on every policy", func(t *testing.T) {
		a.calls.mu.Lock()
		defer a.calls.mu.Unlock()
		lawful(t, policies(a.calls.kept))
	})
	t.Run("CloudFormation would take each resource", func(t *testing.T) {
		a.calls.mu.Lock()
		defer a.calls.mu.Unlock()
		inSchema(t, a.calls.kept)
	})
}

// TestRecordedCalls judges the calls that an earlier test wrote to the file SLUICE_CALLS.
func TestRecordedCalls(t *testing.T) {
	file := os.Getenv("SLUICE_JUDGE")
	if file == "" {
		t.Skip("TestApply judges its calls by itself: SLUICE_CALLS=FILE go test -run TestApply writes them, SLUICE_JUDGE=FILE judges them again")
	}
	calls := jsonLines[call](t, file)
	newJudge(t).calls(calls).report(t)
	lawful(t, policies(calls))
	functionRole(t, policies(calls))
	inSchema(t, calls)
}

// jsonLines reads a file with a JSON document a line, as the recorder writes calls.
func jsonLines[T any](t *testing.T, file string) (all []T) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var one T
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

func (v verdict) report(t *testing.T) {
	t.Helper()
	n := 0
	for _, times := range v.operations {
		n += times
	}
	t.Logf("%d calls of %d operations were held against AWS's models", n, len(v.operations))
	for _, fault := range slices.Sorted(maps.Keys(v.refused)) {
		if listed(wrongModels, fault) {
			continue
		}
		t.Errorf("AWS refuses %s: %d times, such as %s", fault, len(v.refused[fault]), v.refused[fault][0])
	}
	for _, fault := range slices.Sorted(maps.Keys(v.answers)) {
		if listed(motoAnswers, fault) {
			continue
		}
		t.Errorf("AWS does not answer %s: %d times, such as %s", fault, len(v.answers[fault]), v.answers[fault][0])
	}
}

// listed tells whether a list of exceptions has the fault.
func listed(exceptions []struct{ fault, why string }, fault string) bool {
	return slices.ContainsFunc(exceptions, func(e struct{ fault, why string }) bool { return strings.HasPrefix(fault, e.fault) })
}
