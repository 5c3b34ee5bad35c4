package rehearse

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/emulate/s3"
	"github.com/aproorg/sluice/internal/rehearse/stores"
	"github.com/aproorg/sluice/internal/stack"
)

// configureBuckets gives the app's S3 the plan's buckets of users' files, with the CORS
// and lifecycle configurations that the plan has for them.
func (w *World) configureBuckets() error {
	if w.cfg.Stores == nil {
		return nil
	}
	for _, b := range w.Stack.Buckets {
		if b.Role != stack.RoleFiles {
			continue
		}
		name := cmp.Or(b.Bucket, stores.FilesBucket)
		store := w.cfg.Stores.S3
		store.Bucket(name)
		if err := store.SetCORS(name, w.corsRules(b.CORSRules)); err != nil {
			return fmt.Errorf("%s: CORS configuration: %w", b.Address, err)
		}
		if err := store.SetLifecycle(name, lifecycleRules(b.LifecycleRules)); err != nil {
			return fmt.Errorf("%s: lifecycle configuration: %w", b.Address, err)
		}
	}
	return nil
}

// corsRules are the plan's, for pages of the rehearsed site where the plan has those of
// the deployed one.
func (w *World) corsRules(planned []stack.CORSRule) []s3.CORSRule {
	var rules []s3.CORSRule
	for _, p := range planned {
		rule := s3.CORSRule{AllowedHeaders: p.AllowedHeaders, AllowedMethods: p.AllowedMethods, ExposeHeaders: p.ExposeHeaders}
		if p.MaxAge >= 0 {
			seconds := int(p.MaxAge / time.Second)
			rule.MaxAgeSeconds = &seconds
		}
		for _, origin := range p.AllowedOrigins {
			if !w.deployed(origin) {
				rule.AllowedOrigins = append(rule.AllowedOrigins, origin)
			}
		}
		if len(rule.AllowedOrigins) < len(p.AllowedOrigins) || len(p.AllowedOrigins) == 0 { // none: unknown until apply
			rule.AllowedOrigins = append(rule.AllowedOrigins, w.ViewerURL)
			if rest, ok := strings.CutPrefix(w.ViewerURL, "http://127.0.0.1:"); ok {
				rule.AllowedOrigins = append(rule.AllowedOrigins, "http://localhost:"+rest)
			}
		}
		rules = append(rules, rule)
	}
	return rules
}

// deployed reports whether an origin is that of the site as it will be deployed.
func (w *World) deployed(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && (slices.Contains(w.Stack.Distribution.Aliases, u.Hostname()) || strings.HasSuffix(u.Hostname(), ".cloudfront.net"))
}

func lifecycleRules(planned []stack.LifecycleRule) []s3.LifecycleRule {
	var rules []s3.LifecycleRule
	for _, p := range planned {
		rule := s3.LifecycleRule{ID: p.ID, Status: "Enabled", Filter: &s3.LifecycleFilter{Prefix: &p.Prefix}}
		if p.ExpireDays > 0 {
			rule.Expiration = &s3.LifecycleExpiration{Days: &p.ExpireDays}
		}
		if p.AbortDays > 0 {
			rule.AbortIncompleteMultipartUpload = &s3.LifecycleAbort{DaysAfterInitiation: &p.AbortDays}
		}
		rules = append(rules, rule)
	}
	return rules
}
