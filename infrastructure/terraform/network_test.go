package terraform

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// network holds a function's network interfaces as Lambda does, which moto has none of:
// a security group that a function joined stays in use until the function is gone and
// Lambda, by the right of the function's role, has given the interfaces back
// (https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions).
// It gives them back at the second attempt to delete the group, and not after minutes.
// Where the role lacks the right by then, AWS would hold the group for good; this notes
// it in stuck and lets it go, so that a test ends.
type network struct {
	next http.Handler

	mu       sync.Mutex
	joined   map[string]string // function to role
	groups   map[string]string // security group to function
	rights   map[string]string // role to the policy by which it may delete interfaces
	attempts map[string]int    // to delete a group
	freed    int
	stuck    []string
}

func newNetwork(next http.Handler) *network {
	return &network{next: next, joined: map[string]string{}, groups: map[string]string{}, rights: map[string]string{}, attempts: map[string]int{}}
}

var (
	groupID  = regexp.MustCompile(`sg-[0-9a-f]+`)
	roleName = regexp.MustCompile(`"Role": ?"arn:[^"]*/([^"/]+)"`)
	ofName   = regexp.MustCompile(`"FunctionName": ?"([^"]+)"`)
)

func (n *network) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(request))
	form := parseForm(string(request))
	if form.Get("Action") == "DeleteSecurityGroup" && n.inUse(form.Get("GroupId")) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `<Response><Errors><Error><Code>DependencyViolation</Code><Message>the group has a dependent object</Message></Error></Errors></Response>`)
		return
	}
	answer := httptest.NewRecorder()
	n.next.ServeHTTP(answer, r)
	if answer.Code < 300 {
		n.note(r, string(request), form)
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
}

func (n *network) note(r *http.Request, request string, form url.Values) {
	action, role := form.Get("Action"), form.Get("RoleName")
	n.mu.Lock()
	defer n.mu.Unlock()
	name, isFunction := strings.CutPrefix(r.URL.Path, "/2015-03-31/functions/")
	switch {
	case action == "PutRolePolicy" && strings.Contains(form.Get("PolicyDocument"), "ec2:DeleteNetworkInterface"):
		n.rights[role] = form.Get("PolicyName")
	case action == "DeleteRolePolicy" && n.rights[role] == form.Get("PolicyName"), action == "DeleteRole":
		delete(n.rights, role)
	case r.Method == http.MethodPost && strings.Trim(r.URL.Path, "/") == "2015-03-31/functions" && roleName.MatchString(request):
		function := ofName.FindStringSubmatch(request)[1]
		n.joined[function] = roleName.FindStringSubmatch(request)[1]
		for _, group := range groupID.FindAllString(request, -1) {
			n.groups[group] = function
		}
	case r.Method == http.MethodDelete && isFunction && !strings.Contains(name, "/"):
		n.joined[name] += "\x00gone"
	}
}

// inUse tells whether interfaces hold the group, and gives them back when Lambda would.
func (n *network) inUse(group string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	function, held := n.groups[group]
	if !held {
		return false
	}
	role, gone := strings.CutSuffix(n.joined[function], "\x00gone")
	n.attempts[group]++
	if !gone || n.attempts[group] < 2 {
		return true
	}
	if n.rights[role] == "" {
		n.stuck = append(n.stuck, group)
	}
	delete(n.groups, group)
	n.freed++
	return false
}
