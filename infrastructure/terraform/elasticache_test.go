package terraform

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

var nodeNumber = regexp.MustCompile(`-00[1-6]$`)

// elasticache answers for the nodes of groups, all or one by its name, and for what
// moto can neither change nor delete.
func (g *gaps) elasticache(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	form := parseForm(string(body))
	region := signedRegion(r) + " "
	id, name, subnets := form.Get("CacheClusterId"), form.Get("ReplicationGroupId"), form.Get("CacheSubnetGroupName")
	g.mu.Lock()
	defer g.mu.Unlock()
	security, known := g.groups[region+name]
	switch action := form.Get("Action"); {
	case action == "CreateReplicationGroup":
		g.nodes[region+name], _ = strconv.Atoi(form.Get("NumCacheClusters"))
		g.types[region+name], g.changed[region+name] = form.Get("CacheNodeType"), url.Values{}
		if !known || security == "" {
			g.groups[region+name] = form.Get("SecurityGroupIds.SecurityGroupId.1")
		}
		if known && security == "" { // made anew
			replicationGroup(w, action, name, "creating")
			return
		}
	case action == "DeleteReplicationGroup" && known:
		g.groups[region+name] = ""
		replicationGroup(w, action, name, "deleting")
		return
	case action == "ModifyReplicationGroup" && security != "":
		maps.Copy(g.changed[region+name], form)
		g.types[region+name] = cmp.Or(form.Get("CacheNodeType"), g.types[region+name])
		replicationGroup(w, action, name, "modifying")
		return
	case (action == "IncreaseReplicaCount" || action == "DecreaseReplicaCount") && security != "":
		replicas, _ := strconv.Atoi(form.Get("NewReplicaCount"))
		g.nodes[region+name] = replicas + 1
		replicationGroup(w, action, name, "modifying")
		return
	case action == "DescribeReplicationGroups" && known && security == "":
		notFound(w, "ReplicationGroupNotFoundFault")
		return
	case action == "DescribeReplicationGroups" && known:
		g.members(w, r, name, g.nodes[region+name], g.changed[region+name])
		return
	case action == "DeleteCacheSubnetGroup":
		g.gone[region+subnets] = true
		fmt.Fprint(w, `<DeleteCacheSubnetGroupResponse xmlns="http://elasticache.amazonaws.com/doc/2015-02-02/"/>`)
		return
	case action == "CreateCacheSubnetGroup" && g.gone[region+subnets]:
		g.gone[region+subnets] = false
		fmt.Fprintf(w, `<%[1]sResponse xmlns="http://elasticache.amazonaws.com/doc/2015-02-02/"><%[1]sResult><CacheSubnetGroup><CacheSubnetGroupName>%[2]s</CacheSubnetGroupName>`+
			`<ARN>arn:aws:elasticache:eu-west-1:123456789012:subnetgroup:%[2]s</ARN></CacheSubnetGroup></%[1]sResult></%[1]sResponse>`, action, subnets)
		return
	case action == "DescribeCacheSubnetGroups" && g.gone[region+subnets]:
		notFound(w, "CacheSubnetGroupNotFoundFault")
		return
	}
	if form.Get("Action") != "DescribeCacheClusters" {
		g.next.ServeHTTP(w, r)
		return
	}
	nodes := ""
	switch group := nodeNumber.ReplaceAllString(id, ""); {
	case id == "": // all
		for of, security := range g.groups {
			for n := range g.nodes[of] {
				if group, here := strings.CutPrefix(of, region); here && security != "" {
					nodes += node(group, fmt.Sprintf("%s-%03d", group, n+1), security, g.types[of])
				}
			}
		}
	case group == id || g.groups[region+group] == "":
		g.next.ServeHTTP(w, r)
		return
	default:
		nodes = node(group, id, g.groups[region+group], g.types[region+group])
	}
	fmt.Fprintf(w, `<DescribeCacheClustersResponse xmlns="http://elasticache.amazonaws.com/doc/2015-02-02/"><DescribeCacheClustersResult><CacheClusters>%s</CacheClusters></DescribeCacheClustersResult></DescribeCacheClustersResponse>`, nodes)
}

// node is one of a replication group.
func node(group, id, security, kind string) string {
	return fmt.Sprintf(`<CacheCluster><CacheClusterId>%[3]s</CacheClusterId><ReplicationGroupId>%[1]s</ReplicationGroupId><CacheClusterStatus>available</CacheClusterStatus><Engine>redis</Engine>`+
		`<EngineVersion>7.1.0</EngineVersion><CacheNodeType>%[4]s</CacheNodeType><NumCacheNodes>1</NumCacheNodes><AutoMinorVersionUpgrade>true</AutoMinorVersionUpgrade>`+
		`<CacheSubnetGroupName>%[1]s</CacheSubnetGroupName><CacheParameterGroup><CacheParameterGroupName>default.redis7</CacheParameterGroupName></CacheParameterGroup>`+
		`<PreferredMaintenanceWindow>sun:03:00-sun:04:00</PreferredMaintenanceWindow><TransitEncryptionEnabled>true</TransitEncryptionEnabled><AtRestEncryptionEnabled>true</AtRestEncryptionEnabled>`+
		`<SecurityGroups><member><SecurityGroupId>%[2]s</SecurityGroupId><Status>active</Status></member></SecurityGroups></CacheCluster>`, group, security, id, kind)
}

// ofGroup are the members of a replication group that a change gives other values, and of what they are of the change.
var ofGroup = map[string]string{"CacheNodeType": "CacheNodeType", "SnapshotRetentionLimit": "SnapshotRetentionLimit", "AutomaticFailover": "AutomaticFailoverEnabled", "MultiAZ": "MultiAZEnabled"}

// members adds to a group of moto's the nodes that it lacks, and what was changed.
func (g *gaps) members(w http.ResponseWriter, r *http.Request, name string, nodes int, changed url.Values) {
	answer := httptest.NewRecorder()
	g.next.ServeHTTP(answer, r)
	body, ids, replicas := answer.Body.String(), "", ""
	for member, asked := range ofGroup {
		if value := changed.Get(asked); value != "" {
			value = cmp.Or(map[string]string{"true": "enabled", "false": "disabled"}[value], value)
			body = regexp.MustCompile("<"+member+">[^<]*</"+member+">").ReplaceAllString(body, "<"+member+">"+value+"</"+member+">")
		}
	}
	for n := range nodes {
		id := fmt.Sprintf("%s-%03d", name, n+1)
		ids += "<ClusterId>" + id + "</ClusterId>"
		if n > 0 {
			replicas += "<NodeGroupMember><CacheClusterId>" + id + "</CacheClusterId><CacheNodeId>0001</CacheNodeId><CurrentRole>replica</CurrentRole></NodeGroupMember>"
		}
	}
	body = strings.Replace(body, "<ClusterId>"+name+"-001</ClusterId>", ids, 1)
	body = strings.Replace(body, "</NodeGroupMembers>", replicas+"</NodeGroupMembers>", 1)
	maps.Copy(w.Header(), answer.Header())
	w.Header().Del("Content-Length")
	w.WriteHeader(answer.Code)
	fmt.Fprint(w, body)
}

func replicationGroup(w http.ResponseWriter, action, name, status string) {
	fmt.Fprintf(w, `<%[1]sResponse xmlns="http://elasticache.amazonaws.com/doc/2015-02-02/"><%[1]sResult><ReplicationGroup><ReplicationGroupId>%[2]s</ReplicationGroupId>`+
		`<Status>%[3]s</Status><ARN>arn:aws:elasticache:eu-west-1:123456789012:replicationgroup:%[2]s</ARN></ReplicationGroup></%[1]sResult></%[1]sResponse>`, action, name, status)
}
