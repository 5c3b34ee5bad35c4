package terraform

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/testdeps"
)

const sdkServices = "github.com/aws/aws-sdk-go-v2/service/"

// calledFor is what an operation is called for: what it needs, and by whom at the least.
type calledFor struct {
	may   level
	needs []ask // one without an action has the operation's own
}

func on(resources ...string) (needs []ask) {
	for _, resource := range resources {
		needs = append(needs, ask{Resource: resource})
	}
	return needs
}

func anyApi(method, path string) []ask {
	return []ask{{Action: "apigateway:" + method, Resource: "arn:aws:apigateway:eu-west-1::" + path}}
}

const (
	stateBucket   = "arn:aws:s3:::apro-state"
	siteBucket    = "arn:aws:s3:::librechat-dev-site-123456789012-eu-west-1"
	function      = "arn:aws:lambda:eu-west-1:123456789012:function:librechat-dev"
	repository    = "arn:aws:ecr:eu-west-1:123456789012:repository/librechat-dev"
	securityGroup = "arn:aws:ec2:eu-west-1:123456789012:security-group/sg-1"
)

// toolCalls are the operations that sluice calls by the deployer's rights.
var toolCalls = map[string]calledFor{
	"sts:GetCallerIdentity": {}, // everyone may: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html

	"s3:HeadBucket":                 {planning, on(stateBucket, siteBucket, "arn:aws:s3:::apro-librechat-config")},
	"s3:ListObjectsV2":              {planning, on(siteBucket, "arn:aws:s3:::apro-librechat-config")},
	"s3:GetObject":                  {planning, on(siteBucket + "/_sluice/release.json")},
	"s3:PutObject":                  {deploying, on(siteBucket + "/index.html")},
	"s3:CopyObject":                 {deploying, []ask{{Action: "s3:GetObject", Resource: siteBucket + "/index.html"}, {Action: "s3:PutObject", Resource: siteBucket + "/_sluice/kept/1"}}},
	"s3:DeleteObjects":              {deploying, on(siteBucket + "/index.html")},
	"cloudfront:CreateInvalidation": {deploying, []ask{{Resource: "arn:aws:cloudfront::123456789012:distribution/E1", Context: ownTags}}},

	"s3:GetBucketVersioning":  {deploying, on(stateBucket)},
	"s3:CreateBucket":         {first, on(stateBucket)},
	"s3:PutPublicAccessBlock": {first, on(stateBucket)},
	"s3:PutBucketEncryption":  {first, on(stateBucket)},
	"s3:PutBucketPolicy":      {first, on(stateBucket)},
	"s3:PutBucketVersioning":  {first, on(stateBucket)},

	"acm:ListCertificates":    {planning, on("*")},
	"acm:DescribeCertificate": {planning, on("arn:aws:acm:us-east-1:123456789012:certificate/1")},

	"apigateway:CreateDeployment": {deploying, anyApi("POST", "/restapis/a1/deployments")},
	"apigateway:GetDeployments":   {planning, anyApi("GET", "/restapis/a1/deployments")},
	"apigateway:DeleteDeployment": {deploying, anyApi("DELETE", "/restapis/a1/deployments/d1")},

	"ecr:GetAuthorizationToken": {planning, []ask{{Resource: "*", Context: inRegion}}},
	"ecr:DescribeImages":        {planning, on(repository)},
	"ecr:BatchDeleteImage":      {deploying, on(repository)},

	"lambda:ListVersionsByFunction":   {planning, on(function)},
	"lambda:ListAliases":              {planning, on(function)},
	"lambda:GetFunction":              {planning, on(function, function+":1")},
	"lambda:GetFunctionConfiguration": {planning, on(function + ":1")},
	"lambda:DeleteFunction":           {deploying, on(function + ":1")},
	"lambda:Invoke":                   {deploying, on(function + ":1")}, // a version that is inactive
}

// adviceCalls are the operations of the commands that sluice prints where something exists
// and is not in the state. What `tofu import` itself reads TestDeployEndToEnd shows.
var adviceCalls = map[string]calledFor{
	"cloudfront:ListDistributions":           {deploying, on("*")},
	"cloudfront:ListOriginAccessControls":    {deploying, on("*")},
	"cloudfront:ListResponseHeadersPolicies": {deploying, on("*")},
	"apigateway:GetResources":                {deploying, anyApi("GET", "/restapis/a1/resources")},
	"apigateway:GetApiKeys":                  {deploying, anyApi("GET", "/apikeys")},
	"ec2:DescribeSecurityGroups":             {deploying, []ask{{Resource: "*", Context: inRegion}}},
	"ec2:DescribeSecurityGroupRules":         {deploying, []ask{{Resource: "*", Context: inRegion}}},
	"ec2:RevokeSecurityGroupEgress":          {deploying, []ask{{Resource: securityGroup, Context: ownTags}}},
	"elasticache:DescribeReplicationGroups":  {deploying, on("arn:aws:elasticache:eu-west-1:123456789012:replicationgroup:librechat-dev")},
}

var (
	inRegion = map[string][]string{"aws:RequestedRegion": {"eu-west-1"}}
	ownTags  = map[string][]string{"aws:ResourceTag/Project": {"librechat"}, "aws:ResourceTag/Environment": {"dev"}}
)

// TestToolCalls: the deployer may do what the program's own code asks of AWS and what the
// commands in its advice do, each where it is needed. Which calls there are the compiler says.
func TestToolCalls(t *testing.T) {
	_, packages := testdeps.IAM(t)
	r := &rights{newJudge(t), newSentry(t, packages), nil}
	d, err := newDeployer(deployerValues)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		found []string
		known map[string]calledFor
	}{{"sluice", sdkCalls(t), toolCalls}, {"its advice", adviceCommands(t), adviceCalls}} {
		t.Run(c.name, func(t *testing.T) {
			for _, operation := range slices.Sorted(maps.Keys(c.known)) {
				if !slices.Contains(c.found, operation) {
					t.Errorf("nothing calls %s any longer", operation)
				}
			}
			for _, operation := range c.found {
				called, ok := c.known[operation]
				if !ok {
					t.Errorf("%s is called, and nobody says here what for", operation)
				}
				for _, need := range called.needs {
					if need.Action == "" {
						prefix, name, _ := strings.Cut(operation, ":")
						if need.Action, err = r.action(prefix, name, ""); err != nil {
							t.Fatal(err)
						}
					}
					if !d.allows(called.may, need) {
						t.Errorf("%s needs %s on %s, and the deployer lacks it", operation, need.Action, need.Resource)
					}
					if called.may == first && d.allows(deploying, need) {
						t.Errorf("%s on %s is for the first deployment, and allowed to each", need.Action, need.Resource)
					}
				}
			}
			t.Logf("%d operations: %s", len(c.found), strings.Join(c.found, " "))
		})
	}
}

// sdkCalls are the operations of AWS that the program calls: the methods of the SDK's clients
// and its paginators, wherever the program has them.
func sdkCalls(t *testing.T) (found []string) {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-export", "-json=ImportPath,Export,Dir,GoFiles,Imports,Standard", "./cmd/sluice")
	list.Dir = filepath.Join("..", "..")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	type listed struct {
		ImportPath, Export, Dir string
		GoFiles, Imports        []string
	}
	exports := map[string]string{}
	var callers []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		uses := slices.ContainsFunc(p.Imports, func(name string) bool { return strings.HasPrefix(name, sdkServices) })
		if uses && strings.HasPrefix(p.ImportPath, "github.com/aproorg/sluice/") {
			callers = append(callers, p)
		}
	}
	fset := token.NewFileSet()
	compiled := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	for _, p := range callers {
		var files []*ast.File
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
		info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
		if _, err := (&types.Config{Importer: compiled}).Check(p.ImportPath, fset, files, info); err != nil {
			t.Fatal(err)
		}
		for _, object := range info.Uses {
			if operation := operationOf(object); operation != "" {
				found = append(found, operation)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// repeats are the makers of what calls an operation again and again.
var repeats = regexp.MustCompile(`^New\w+(?:Paginator|Waiter)$`)

// operationOf is the operation that a function of the SDK asks for, or none.
func operationOf(object types.Object) string {
	f, ok := object.(*types.Func)
	if !ok || f.Pkg() == nil {
		return ""
	}
	service, ok := strings.CutPrefix(f.Pkg().Path(), sdkServices)
	if !ok || strings.Contains(service, "/") {
		return ""
	}
	receiver := f.Signature().Recv()
	if receiver == nil {
		if !repeats.MatchString(f.Name()) {
			return ""
		}
		client, _ := f.Signature().Params().At(0).Type().(*types.Named) // ListAliasesAPIClient
		return service + ":" + strings.TrimSuffix(client.Obj().Name(), "APIClient")
	}
	if strings.HasSuffix(receiver.Type().String(), "/"+service+".Client") && f.Name() != "Options" {
		return service + ":" + f.Name()
	}
	return ""
}

var (
	awsCommand = regexp.MustCompile("[(` ]aws ([a-z0-9]+) (wait )?([a-z-]+) ")
	waiters    = map[string]string{"replication-group-available": "describe-replication-groups"}
)

// adviceCommands are the operations of the commands of the aws program in sluice's advice.
func adviceCommands(t *testing.T) (found []string) {
	t.Helper()
	code, err := os.ReadFile(filepath.Join("..", "..", "internal", "deploy", "adopt.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range awsCommand.FindAllSubmatch(code, -1) {
		name := string(command[3])
		if len(command[2]) > 0 {
			name = waiters[name]
		}
		var operation strings.Builder
		for word := range strings.SplitSeq(name, "-") {
			operation.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
		found = append(found, string(command[1])+":"+operation.String())
	}
	slices.Sort(found)
	return slices.Compact(found)
}
