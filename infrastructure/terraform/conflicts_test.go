package terraform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
)

// conflicts refuses what AWS refuses and moto 5.2 takes: to create a second of what has
// one. It asks moto what there is, and keeps nothing. The words are AWS's, but for a usage
// plan's key, of which the documentation says only that it conflicts:
//
//   - API Gateway: a resource, a method, a method's response, a key of a usage plan
//     (ConflictException of https://docs.aws.amazon.com/apigateway/latest/api/API_CreateResource.html,
//     API_PutMethod.html, API_PutMethodResponse.html and API_CreateUsagePlanKey.html).
//   - Lambda: a statement of a function's policy
//     (https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html).
//   - CloudFront: an origin access control
//     (https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateOriginAccessControl.html).
type conflicts struct{ next http.Handler }

var (
	newResource  = regexp.MustCompile(`^POST (/restapis/\w+/resources)/(\w+)$`)
	newMethod    = regexp.MustCompile(`^PUT /restapis/\w+/resources/\w+/methods/\w+$`)
	newResponse  = regexp.MustCompile(`^PUT /restapis/\w+/resources/\w+/methods/\w+/responses/\d+$`)
	newKey       = regexp.MustCompile(`^POST (/usageplans/\w+/keys)$`)
	newStatement = regexp.MustCompile(`^POST (/2015-03-31/functions/[^/]+/policy)$`)
)

func (c conflicts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(request))
	switch call := r.Method + " " + r.URL.Path; {
	case newMethod.MatchString(call) && c.has(r, r.URL.Path, nil):
		refuse(w, "ConflictException", "Method already exists for this resource")
	case newResponse.MatchString(call) && c.has(r, r.URL.Path, nil):
		refuse(w, "ConflictException", "Response already exists for this resource")
	case newResource.MatchString(call) && c.has(r, newResource.FindStringSubmatch(call)[1], sibling(request, newResource.FindStringSubmatch(call)[2])):
		refuse(w, "ConflictException", "Another resource with the same parent already has this name: "+field(request, "pathPart"))
	case newKey.MatchString(call) && c.has(r, r.URL.Path+"/"+field(request, "keyId"), nil):
		refuse(w, "ConflictException", "The request configuration has conflicts")
	case newStatement.MatchString(call) && c.has(r, r.URL.Path, holds(`\"Sid\": \"`+field(request, "StatementId")+`\"`)):
		refuse(w, "ResourceConflictException", "The statement id ("+field(request, "StatementId")+") provided already exists. Please provide a new statement id, or remove the existing statement.")
	case call == "POST /2020-05-31/origin-access-control" && c.has(r, r.URL.Path, holds(string(accessName.Find(request)))):
		conflict(w, "OriginAccessControlAlreadyExists", "An origin access control with the same name already exists.")
	default:
		c.next.ServeHTTP(w, r)
	}
}

var accessName = regexp.MustCompile(`<Name>[^<]+</Name>`)

// has tells whether moto has what stands at path, where its answer is as it must be.
func (c conflicts) has(r *http.Request, path string, as func(answer []byte) bool) bool {
	get := r.Clone(r.Context())
	get.Method, get.URL.Path, get.URL.RawPath, get.Body, get.ContentLength = http.MethodGet, path, "", http.NoBody, 0
	answer := httptest.NewRecorder()
	c.next.ServeHTTP(answer, get)
	return answer.Code == http.StatusOK && (as == nil || as(answer.Body.Bytes()))
}

func holds(text string) func([]byte) bool {
	return func(answer []byte) bool { return bytes.Contains(answer, []byte(text)) }
}

// sibling looks for a resource of the request's name below parent.
func sibling(request []byte, parent string) func([]byte) bool {
	return func(answer []byte) bool {
		var resources struct {
			Item []struct{ ParentID, PathPart string } `json:"item"`
		}
		_ = json.Unmarshal(answer, &resources)
		for _, one := range resources.Item {
			if one.ParentID == parent && one.PathPart == field(request, "pathPart") {
				return true
			}
		}
		return false
	}
}

// field is a string of a JSON object.
func field(object []byte, name string) string {
	fields := map[string]any{}
	_ = json.Unmarshal(object, &fields)
	text, _ := fields[name].(string)
	return text
}

// refuse refuses in JSON what exists already.
func refuse(w http.ResponseWriter, code, message string) {
	w.Header().Set("X-Amzn-Errortype", code)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusConflict)
	fmt.Fprintf(w, `{"message":%q}`, strings.TrimSpace(message))
}
