package s3

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// LifecycleRule is one rule of a bucket's lifecycle configuration. Of its actions there
// are two: objects expire, and multipart uploads that nobody completes are aborted.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
type LifecycleRule struct {
	ID     string `xml:",omitempty"`
	Prefix *string
	Filter *LifecycleFilter
	Status string // Enabled or Disabled

	Expiration                     *LifecycleExpiration
	AbortIncompleteMultipartUpload *LifecycleAbort

	Unknowns []unknown `xml:",any"` // refused
}

// LifecycleFilter says which objects a rule is for: all where it says nothing.
type LifecycleFilter struct {
	Prefix                *string
	ObjectSizeGreaterThan *int64
	ObjectSizeLessThan    *int64
	And                   *LifecycleAnd
	Unknowns              []unknown `xml:",any"`
}

// LifecycleAnd holds several conditions of a filter, all of which have to hold.
type LifecycleAnd struct {
	Prefix                *string
	ObjectSizeGreaterThan *int64
	ObjectSizeLessThan    *int64
	Unknowns              []unknown `xml:",any"`
}

// LifecycleExpiration is when objects are deleted: so many days after they were made,
// or at a date.
type LifecycleExpiration struct {
	Days     *int
	Date     *time.Time
	Unknowns []unknown `xml:",any"`
}

// LifecycleAbort is when uploads are aborted, in days after they began.
type LifecycleAbort struct {
	DaysAfterInitiation *int
}

// unknown is an element that this S3 refuses by name.
type unknown struct{ XMLName xml.Name }

// conditions of a rule, in one form.
func (l LifecycleRule) conditions() LifecycleAnd {
	switch f := l.Filter; {
	case f == nil:
		return LifecycleAnd{Prefix: l.Prefix}
	case f.And != nil:
		return *f.And
	default:
		return LifecycleAnd{Prefix: f.Prefix, ObjectSizeGreaterThan: f.ObjectSizeGreaterThan, ObjectSizeLessThan: f.ObjectSizeLessThan, Unknowns: f.Unknowns}
	}
}

// matches reports whether a rule is for a key of a size.
func (l LifecycleRule) matches(key string, size int64) bool {
	c := l.conditions()
	return l.Status == "Enabled" && (c.Prefix == nil || strings.HasPrefix(key, *c.Prefix)) &&
		(c.ObjectSizeGreaterThan == nil || size > *c.ObjectSizeGreaterThan) && (c.ObjectSizeLessThan == nil || size < *c.ObjectSizeLessThan)
}

// check says what S3 refuses of a rule, and what this S3 does not have.
func (l LifecycleRule) check() error {
	c := l.conditions()
	several := l.Filter != nil && l.Filter.And != nil && (l.Filter.Prefix != nil || l.Filter.ObjectSizeGreaterThan != nil || l.Filter.ObjectSizeLessThan != nil)
	switch {
	case l.Status != "Enabled" && l.Status != "Disabled", (l.Filter == nil) == (l.Prefix == nil), several:
		return malformed
	case len(l.ID) > 255:
		return invalidArgument("ID length should not exceed allowed limit of 255")
	}
	for _, unknowns := range [][]unknown{l.Unknowns, c.Unknowns} {
		for _, u := range unknowns {
			return notImplemented("The emulated S3 has no lifecycle rules with " + u.XMLName.Local)
		}
	}
	if l.Expiration == nil && l.AbortIncompleteMultipartUpload == nil {
		return invalidRequest("At least one action needs to be specified in a rule")
	}
	if e := l.Expiration; e != nil {
		for _, u := range e.Unknowns {
			return notImplemented("The emulated S3 has no lifecycle rules with " + u.XMLName.Local)
		}
		switch {
		case (e.Days == nil) == (e.Date == nil):
			return malformed
		case e.Days != nil && *e.Days <= 0:
			return invalidArgument("'Days' for Expiration action must be a positive integer")
		case e.Date != nil && !e.Date.Equal(e.Date.UTC().Truncate(24*time.Hour)):
			return invalidArgument("'Date' must be at midnight GMT").with("ArgumentName", "Date", "ArgumentValue", e.Date.Format(time.RFC3339))
		}
	}
	if a := l.AbortIncompleteMultipartUpload; a != nil {
		switch {
		case a.DaysAfterInitiation == nil:
			return malformed
		case *a.DaysAfterInitiation <= 0:
			return invalidArgument("'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer")
		case c.ObjectSizeGreaterThan != nil, c.ObjectSizeLessThan != nil:
			return invalidRequest("AbortIncompleteMultipartUpload cannot be specified with Object Size.")
		}
	}
	return nil
}

// midnightAfter is the next midnight of UTC after so many days, as S3 rounds.
func midnightAfter(t time.Time, days int) time.Time {
	at := t.UTC().AddDate(0, 0, days)
	day := at.Truncate(24 * time.Hour)
	if day.Equal(at) {
		return day
	}
	return day.AddDate(0, 0, 1)
}

// earliest is the first of the times that the matching rules of a bucket give, by
// which rule. The zero time is never.
func (b *bucket) earliest(key string, size int64, at func(LifecycleRule) time.Time) (first time.Time, id string) {
	for _, rule := range b.lifecycle {
		if !rule.matches(key, size) {
			continue
		}
		if t := at(rule); !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first, id = t, rule.ID
		}
	}
	return first, id
}

// expiry is when the lifecycle deletes an object.
func (b *bucket) expiry(key string, o *object) (time.Time, string) {
	return b.earliest(key, o.size, func(rule LifecycleRule) time.Time {
		switch e := rule.Expiration; {
		case e == nil:
			return time.Time{}
		case e.Date != nil:
			return e.Date.UTC()
		default:
			return midnightAfter(o.modified, *e.Days)
		}
	})
}

// abortion is when the lifecycle aborts a multipart upload.
func (b *bucket) abortion(u *upload) (time.Time, string) {
	return b.earliest(u.key, 0, func(rule LifecycleRule) time.Time {
		if rule.AbortIncompleteMultipartUpload == nil {
			return time.Time{}
		}
		return midnightAfter(u.started, *rule.AbortIncompleteMultipartUpload.DaysAfterInitiation)
	})
}

// sweep does what the lifecycle of a bucket asks for by now. S3 does so at the midnight
// or some hours later; here it is the next request that finds it done.
func (s *Store) sweep(name string) error {
	now := s.now()
	day := now.UTC().Truncate(24 * time.Hour)
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[name]
	if b == nil || len(b.lifecycle) == 0 || b.swept.Equal(day) {
		return nil
	}
	b.swept = day
	over := func(at time.Time) bool { return !at.IsZero() && !now.Before(at) }
	var errs []error
	for key, o := range b.objects {
		if at, _ := b.expiry(key, o); over(at) {
			errs = append(errs, s.delete(b, name, key))
		}
	}
	for _, u := range s.uploads {
		if at, _ := b.abortion(u); u.bucket == name && over(at) {
			errs = append(errs, s.abandon(u))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("apply the lifecycle of bucket %s: %w", name, err)
	}
	return nil
}

// expires puts into the head of an answer when its object will be deleted.
func (c *call) expires(o *object) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if b := c.buckets[c.bucket]; b != nil {
		if at, rule := b.expiry(c.key, o); !at.IsZero() {
			c.w.Header().Set("X-Amz-Expiration", fmt.Sprintf(`expiry-date="%s", rule-id="%s"`, at.Format(http.TimeFormat), rule))
		}
	}
}

// aborts is expires for a multipart upload. The caller holds the lock.
func (c *call) aborts(u *upload) {
	if b := c.buckets[c.bucket]; b != nil {
		if at, rule := b.abortion(u); !at.IsZero() {
			c.w.Header().Set("X-Amz-Abort-Date", at.Format(http.TimeFormat))
			c.w.Header().Set("X-Amz-Abort-Rule-Id", rule)
		}
	}
}

type lifecycleDocument struct {
	XMLName xml.Name        `xml:"LifecycleConfiguration"`
	Rules   []LifecycleRule `xml:"Rule"`
}

// SetLifecycle replaces a bucket's lifecycle configuration; no rules take it away. It
// refuses what S3 refuses. A rule without an ID gets one.
func (s *Store) SetLifecycle(bucketName string, rules []LifecycleRule) error {
	if len(rules) > 1000 {
		return malformed
	}
	seen := map[string]bool{}
	for i := range rules {
		if err := rules[i].check(); err != nil {
			return err
		}
		if rules[i].ID == "" {
			rules[i].ID = fmt.Sprintf("%x", random(16))
		}
		if seen[rules[i].ID] {
			return invalidArgument("Rule ID must be unique. Found same ID for more than one rule")
		}
		seen[rules[i].ID] = true
	}
	return s.configure(bucketName, func(b *bucket) { b.lifecycle, b.swept = rules, time.Time{} })
}

// lifecycleConfiguration is PutBucketLifecycleConfiguration,
// GetBucketLifecycleConfiguration or DeleteBucketLifecycle.
func (c *call) lifecycleConfiguration() error {
	switch c.r.Method {
	case http.MethodPut:
		var in lifecycleDocument
		if err := c.read(&in); err != nil {
			return err
		}
		if len(in.Rules) == 0 {
			return malformed
		}
		if err := c.SetLifecycle(c.bucket, in.Rules); err != nil {
			return err
		}
		return c.status(http.StatusOK)
	case http.MethodDelete:
		if err := c.SetLifecycle(c.bucket, nil); err != nil {
			return err
		}
		return c.status(http.StatusNoContent)
	case http.MethodGet:
		out := lifecycleDocument{}
		if err := c.configure(c.bucket, func(b *bucket) { out.Rules = b.lifecycle }); err != nil {
			return err
		}
		if len(out.Rules) == 0 {
			return noLifecycle.with("BucketName", c.bucket)
		}
		return c.document(out)
	}
	return notAllowed
}
