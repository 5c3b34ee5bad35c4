package terraform

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// forgets gives back what moto 5.2 takes and does not return, so that a second plan
// of what was applied shows our faults and not moto's:
//
//   - API Gateway: responseTransferMode of an integration, binaryMediaTypes of an API; tags given or taken later, for which moto
//     has no calls.
//   - S3: tags given when a bucket is created, and later.
//   - S3: a bucket's policy is kept here and not given to moto, which reads "deny what
//     comes without TLS" as "deny all".
//   - EC2: the description of a security group rule that refers to a group.
//   - ACM: a list of certificates that names no key types holds RSA_1024 and RSA_2048 alone
//     (https://docs.aws.amazon.com/acm/latest/APIReference/API_Filters.html); moto's holds all.
//   - Route 53: a record that was made and deleted is refused when it is made again, as if it
//     were still there; one that is there is refused here
//     (https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html).
//   - Lambda: an ImageConfig that nobody gave is returned empty; AWS returns none.
type forgets struct {
	next http.Handler

	mu           sync.Mutex
	kept         map[string]map[string]any // JSON attributes by path
	tags         map[string]string         // of a bucket, as XML
	descriptions map[string]string         // by id of the security group rule
	policies     map[string][]byte         // of a bucket, by path
}

func newForgets(next http.Handler) *forgets {
	return &forgets{next: next, kept: map[string]map[string]any{}, tags: map[string]string{}, descriptions: map[string]string{}, policies: map[string][]byte{}}
}

func (f *forgets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(request))
	if bucket, ok := strings.CutPrefix(r.URL.Path, "/v20180820/tags/arn:aws:s3:::"); ok {
		f.mu.Lock()
		defer f.mu.Unlock()
		if r.Method == http.MethodGet {
			fmt.Fprintf(w, `<ListTagsForResourceResult><Tags>%s</Tags></ListTagsForResourceResult>`, f.tags[bucket])
			return
		}
		f.tags[bucket] = retagged(f.tags[bucket], request, r.URL.Query()["tagKeys"])
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if r.URL.Query().Has("policy") {
		f.policy(w, r, request)
		return
	}
	if _, path, ok := strings.Cut(r.URL.Path, "::/"); ok && strings.HasPrefix(r.URL.Path, "/tags/arn:aws:apigateway:") {
		f.tag(r, "/"+path, request)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".ListCertificates") {
		listed := withKeyTypes(request)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(listed)), int64(len(listed))
	}
	if strings.HasSuffix(strings.TrimSuffix(r.URL.Path, "/"), "/rrset") && bytes.Contains(request, []byte("<Action>CREATE</Action>")) {
		if f.hasRecord(r, request) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `<ErrorResponse><Error><Type>Sender</Type><Code>InvalidChangeBatch</Code><Message>[Tried to create resource record set, but it already exists]</Message></Error></ErrorResponse>`)
			return
		}
		made := bytes.Replace(request, []byte("<Action>CREATE</Action>"), []byte("<Action>UPSERT</Action>"), 1)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(made)), int64(len(made))
	}
	answer := httptest.NewRecorder()
	f.next.ServeHTTP(answer, r)
	body := f.mend(r, request, answer.Body.Bytes())
	maps.Copy(w.Header(), answer.Header())
	w.Header().Del("Content-Length")
	w.WriteHeader(answer.Code)
	w.Write(body)
}

// hasRecord tells whether the zone has the record that the request changes.
func (f *forgets) hasRecord(r *http.Request, request []byte) bool {
	type record struct {
		Name string `xml:"Name"`
		Type string `xml:"Type"`
	}
	var change struct {
		Record record `xml:"ChangeBatch>Changes>Change>ResourceRecordSet"`
	}
	var listed struct {
		Records []record `xml:"ResourceRecordSets>ResourceRecordSet"`
	}
	_ = xml.Unmarshal(request, &change)
	get := r.Clone(r.Context())
	get.Method, get.Body, get.ContentLength = http.MethodGet, http.NoBody, 0
	get.URL.RawQuery = url.Values{"name": {change.Record.Name}, "type": {change.Record.Type}}.Encode()
	answer := httptest.NewRecorder()
	f.next.ServeHTTP(answer, get)
	_ = xml.Unmarshal(answer.Body.Bytes(), &listed)
	return slices.ContainsFunc(listed.Records, func(one record) bool {
		return one.Type == change.Record.Type && strings.TrimSuffix(one.Name, ".") == strings.TrimSuffix(change.Record.Name, ".")
	})
}

func (f *forgets) policy(w http.ResponseWriter, r *http.Request, request []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r.Method {
	case http.MethodPut:
		f.policies[r.URL.Path] = request
		w.WriteHeader(http.StatusNoContent)
	case http.MethodDelete:
		delete(f.policies, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	default:
		if f.policies[r.URL.Path] == nil {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `<Error><Code>NoSuchBucketPolicy</Code></Error>`)
			return
		}
		w.Write(f.policies[r.URL.Path])
	}
}

func (f *forgets) mend(r *http.Request, request, answer []byte) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case strings.HasPrefix(r.URL.Path, "/restapis"), strings.HasPrefix(r.URL.Path, "/apikeys"), strings.HasPrefix(r.URL.Path, "/usageplans"):
		return f.restAPI(r, request, answer)
	case strings.HasPrefix(r.URL.Path, "/2015-03-31/functions/") && r.Method == http.MethodGet:
		return withoutImageConfig(answer)
	case bytes.Contains(request, []byte("<CreateBucketConfiguration")):
		f.bucket(strings.Trim(r.URL.Path, "/"), request)
	case bytes.Contains(request, []byte("SecurityGroup")):
		return f.securityGroup(request, answer)
	}
	return answer
}

// tag gives tags to what stands at a path of API Gateway, or takes them.
func (f *forgets) tag(r *http.Request, path string, request []byte) {
	get := r.Clone(r.Context())
	get.Method, get.URL.Path, get.URL.RawPath, get.URL.RawQuery, get.Body, get.ContentLength = http.MethodGet, path, "", "", http.NoBody, 0
	answer := httptest.NewRecorder()
	f.ServeHTTP(answer, get)
	var there, given struct{ Tags map[string]string }
	_ = json.Unmarshal(answer.Body.Bytes(), &there)
	_ = json.Unmarshal(request, &given)
	tags := map[string]string{}
	maps.Copy(tags, there.Tags)
	maps.Copy(tags, given.Tags)
	for _, key := range r.URL.Query()["tagKeys"] {
		delete(tags, key)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kept[path] == nil {
		f.kept[path] = map[string]any{}
	}
	f.kept[path]["tags"] = tags
}

var xmlTag = regexp.MustCompile(`(?s)<Tag>\s*<Key>(.*?)</Key>\s*<Value>(.*?)</Value>\s*</Tag>`)

// retagged are tags in XML with those that a request gives, and without those that it takes.
func retagged(tags string, given []byte, taken []string) string {
	values := map[string]string{}
	for _, tag := range xmlTag.FindAllStringSubmatch(tags+string(given), -1) {
		values[tag[1]] = tag[2]
	}
	var left strings.Builder
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(taken, key) {
			fmt.Fprintf(&left, "<Tag><Key>%s</Key><Value>%s</Value></Tag>", key, values[key])
		}
	}
	return left.String()
}

// withKeyTypes adds to a ListCertificates the key types that ACM lists where none are named.
func withKeyTypes(request []byte) []byte {
	var input map[string]any
	if json.Unmarshal(request, &input) != nil {
		return request
	}
	includes, _ := input["Includes"].(map[string]any)
	if includes == nil {
		includes = map[string]any{}
	}
	if includes["keyTypes"] == nil {
		includes["keyTypes"] = []string{"RSA_1024", "RSA_2048"}
	}
	input["Includes"] = includes
	full, _ := json.Marshal(input)
	return full
}

func withoutImageConfig(answer []byte) []byte {
	var function map[string]any
	if json.Unmarshal(answer, &function) != nil {
		return answer
	}
	if configuration, ok := function["Configuration"].(map[string]any); ok {
		delete(configuration, "ImageConfigResponse")
	}
	mended, _ := json.Marshal(function)
	return mended
}

func (f *forgets) restAPI(r *http.Request, request, answer []byte) []byte {
	var wrote, got map[string]any
	path := r.URL.Path
	if r.Method == http.MethodDelete {
		delete(f.kept, path)
	}
	if json.Unmarshal(answer, &got) != nil || got == nil {
		return answer
	}
	if path == "/restapis" && r.Method == http.MethodPost {
		path = fmt.Sprintf("/restapis/%v", got["id"])
	}
	if json.Unmarshal(request, &wrote) == nil && (r.Method == http.MethodPost || r.Method == http.MethodPut) {
		maps.DeleteFunc(wrote, func(name string, _ any) bool {
			return !slices.Contains([]string{"responseTransferMode", "binaryMediaTypes"}, name)
		})
		f.kept[path] = wrote
	}
	if len(f.kept[path]) == 0 {
		return answer
	}
	maps.Copy(got, f.kept[path])
	mended, _ := json.Marshal(got)
	return mended
}

func (f *forgets) bucket(name string, request []byte) {
	var config struct {
		Tags struct {
			Inner string `xml:",innerxml"`
		} `xml:"Tags"`
	}
	if xml.Unmarshal(request, &config) == nil {
		f.tags[name] = config.Tags.Inner
	}
}

var ruleID = regexp.MustCompile(`<securityGroupRuleId>(sgr-[0-9a-f]+)</securityGroupRuleId>`)

func (f *forgets) securityGroup(request, answer []byte) []byte {
	form := parseForm(string(request))
	if description := form.Get("IpPermissions.1.Groups.1.Description"); description != "" {
		for _, id := range ruleID.FindAllSubmatch(answer, -1) {
			f.descriptions[string(id[1])] = description
		}
	}
	switch form.Get("Action") {
	case "ModifySecurityGroupRules": // of which moto keeps the description
		for n := 1; form.Has(fmt.Sprintf("SecurityGroupRule.%d.SecurityGroupRuleId", n)); n++ {
			delete(f.descriptions, form.Get(fmt.Sprintf("SecurityGroupRule.%d.SecurityGroupRuleId", n)))
		}
		return answer
	case "DescribeSecurityGroupRules":
	default:
		return answer
	}
	return ruleID.ReplaceAllFunc(answer, func(id []byte) []byte {
		if description := f.descriptions[string(ruleID.FindSubmatch(id)[1])]; description != "" {
			return slices.Concat(id, []byte("<description>"+description+"</description>"))
		}
		return id
	})
}
