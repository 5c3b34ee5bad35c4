package graph

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/stack"
)

// Columns of the drawing, from the left: the browser and the distribution, what
// the distribution leads to, the function, and the stores.
const (
	margin   = 24
	column   = 268
	gap      = 28
	rowGap   = 28
	lineHigh = 19
	headHigh = 54
)

func left(i int) int { return margin + i*(column+gap) }

// drawing is boxes and the arrows between them, in the order in which they are drawn.
type drawing struct {
	boxes  []*box
	arrows []arrow
}

// box is a resource: what it is, its name, and lines about it.
type box struct {
	kind, name, address string
	color               string
	lines               []string
	x, y                int
}

func (b *box) height() int {
	if len(b.lines) == 0 {
		return headHigh
	}
	return headHigh + 8 + len(b.lines)*lineHigh + 6
}

// arrow leads from one box to another, with words at its middle.
type arrow struct {
	from, to *box
	label    string
}

// Colors tell what AWS bills and scales apart: the edge, the API, compute, stores.
const (
	gray   = "#64748b"
	violet = "#7c3aed"
	pink   = "#be185d"
	orange = "#c2410c"
	green  = "#15803d"
	blue   = "#1d4ed8"
)

func layout(s *stack.Stack) *drawing {
	d := &drawing{}
	browser := d.add(&box{kind: "Browser", name: cmp.Or(first(s.Distribution.Aliases), "on CloudFront's own name"), color: gray, x: left(0), y: margin})
	edge := d.below(browser, distributionBox(s))
	d.join(browser, edge, "HTTPS")

	api := d.add(apiBox(s))
	api.x, api.y = left(1), edge.y
	function := d.add(functionBox(s))
	function.x, function.y = left(2), edge.y
	d.join(edge, api, "")
	d.join(api, function, "")

	d.stores(s, api, edge, function)
	return d
}

// stores puts the site's bucket below the API, and the function's own stores right of it.
func (d *drawing) stores(s *stack.Stack, api, edge, function *box) {
	above := margin
	for _, b := range s.Buckets {
		if b.Role == stack.RoleSite {
			site := d.below(api, bucketBox(b))
			d.join(edge, site, "")
			continue
		}
		above = d.right(function, bucketBox(b), above)
	}
	if s.Cache.Address != "" {
		above = d.right(function, cacheBox(s.Cache), above)
	}
	if secrets := secretsBox(s.Function); secrets != nil {
		above = d.right(function, secrets, above)
	}
	if config := s.Function.Environment[settings.ConfigS3Variable]; config != "" {
		d.right(function, &box{kind: "Configuration", name: config, color: green, lines: []string{"read at a cold start"}}, above)
	}
}

// right puts a store of the function into the last column and returns where the next one goes.
func (d *drawing) right(function, b *box, y int) int {
	b.x, b.y = left(3), y
	d.add(b)
	d.join(function, b, "")
	return y + b.height() + rowGap
}

func (d *drawing) add(b *box) *box {
	d.boxes = append(d.boxes, b)
	return b
}

func (d *drawing) below(above, b *box) *box {
	b.x, b.y = above.x, above.y+above.height()+rowGap+10
	return d.add(b)
}

func (d *drawing) join(from, to *box, label string) {
	d.arrows = append(d.arrows, arrow{from, to, label})
}

func (d *drawing) draw(w io.Writer) int {
	bottom := 0
	for _, a := range d.arrows {
		a.draw(w)
	}
	for _, b := range d.boxes {
		b.draw(w)
		bottom = max(bottom, b.y+b.height())
	}
	return bottom + margin
}

func distributionBox(s *stack.Stack) *box {
	b := &box{kind: "CloudFront distribution", name: cmp.Or(first(s.Distribution.Aliases), "default name"), address: s.Distribution.Address, color: violet}
	for _, behavior := range append(slices.Clone(s.Distribution.OrderedCacheBehaviors), s.Distribution.DefaultCacheBehavior) {
		line := cmp.Or(behavior.PathPattern, "all else") + " → " + behavior.TargetOriginID
		if behavior.CachePolicy.MaxTTL == 0 && behavior.CachePolicy.Name != "" {
			line += ", uncached"
		}
		b.lines = append(b.lines, line)
		for _, f := range behavior.Functions {
			b.lines = append(b.lines, "  "+f.EventType+": "+f.Name)
		}
	}
	return b
}

func apiBox(s *stack.Stack) *box {
	b := &box{kind: "REST API, stage " + s.RestAPI.StageName, name: s.RestAPI.Name, address: s.RestAPI.Address, color: pink}
	for _, resource := range s.RestAPI.Resources {
		for _, m := range resource.Methods {
			line := m.HTTPMethod + " " + resource.Path
			if m.Integration.Type == stack.IntegrationProxy {
				line += " " + m.Integration.ResponseTransferMode + " " + span(m.Integration.Timeout)
			} else {
				line += " " + m.Integration.Type
			}
			b.lines = append(b.lines, line)
		}
	}
	return b
}

func functionBox(s *stack.Stack) *box {
	f := s.Function
	b := &box{kind: "Lambda function", name: f.FunctionName, address: f.Address, color: orange, lines: []string{
		fmt.Sprintf("%d MB, %s, %s", f.MemorySize, span(f.Timeout), cmp.Or(f.Architecture, "x86_64")),
		fmt.Sprintf("/tmp of %d MB", f.EphemeralStorage),
	}}
	if f.VpcSubnets > 0 {
		b.lines = append(b.lines, fmt.Sprintf("in %d private subnets", f.VpcSubnets))
	}
	switch {
	case f.ProvisionedConcurrency > 0:
		b.lines = append(b.lines, fmt.Sprintf("%d environments kept ready", f.ProvisionedConcurrency))
	case f.SnapStart == "PublishedVersions":
		b.lines = append(b.lines, "starts from a snapshot")
	}
	if f.ReservedConcurrency >= 0 {
		b.lines = append(b.lines, fmt.Sprintf("at most %d environments", f.ReservedConcurrency))
	}
	if f.ImageURI != "" {
		name, digest, _ := strings.Cut(f.ImageURI[strings.LastIndex(f.ImageURI, "/")+1:], "@sha256:")
		b.lines = append(b.lines, "image "+name+" "+digest[:min(len(digest), 12)])
	}
	return b
}

func bucketBox(bucket stack.Bucket) *box {
	use := map[string]string{stack.RoleSite: "the site, by origin access control", stack.RoleFiles: "uploads"}[bucket.Role]
	b := &box{kind: "S3 bucket", name: cmp.Or(bucket.Bucket, "named at apply"), address: bucket.Address, color: green}
	if use != "" {
		b.lines = []string{use}
	}
	return b
}

func cacheBox(c stack.Cache) *box {
	tls := "without TLS"
	if c.TransitEncryptionEnabled {
		tls = "with TLS"
	}
	return &box{kind: "ElastiCache Redis", name: c.ReplicationGroupID, address: c.Address, color: blue,
		lines: []string{fmt.Sprintf("%d × %s, %s", c.NumCacheClusters, c.NodeType, tls)}}
}

// secretsBox counts the parameters that are read at a cold start.
func secretsBox(f stack.Function) *box {
	refs, _ := settings.ParseSecrets(f.Environment[settings.SecretsVariable]) // those that the bootstrap refuses are not drawn
	if len(refs) == 0 {
		return nil
	}
	return &box{kind: "SSM Parameter Store", name: fmt.Sprintf("%d secrets", len(refs)), color: blue, lines: []string{"read at a cold start"}}
}

// span writes a duration without zero parts: 15m, 29s.
func span(d time.Duration) string {
	if d%time.Minute == 0 && d > 0 {
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%g s", d.Seconds())
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
