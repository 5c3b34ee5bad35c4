package rehearse

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/emulate/s3"
	"github.com/aproorg/sluice/internal/site"
	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/timeline"
)

// Uploads lets bodies that are too large for Lambda come by way of S3, in the terms of
// the bootstrap's settings.
type Uploads struct {
	Authorize string // path of the app that answers 2xx to a signed-in user
	User      string // JSON pointer of the user's id in that answer; empty is the bootstrap's default
	Secret    string // variable of the app whose value tickets are sealed with; empty is the origin secret
}

// bodies is where they are, unless the plan says so and the app has its AWS here.
var bodies = settings.Object{Bucket: "sluice-rehearsal-uploads", Key: "staging/"}

// uploadRoute is for the paths of the uploads' own.
const uploadRoute = "/_sluice/*"

// withUploads adds their paths where the stack does not have them.
func withUploads(s *stack.Stack) error {
	behavior, err := apiBehavior(s)
	has := func(b stack.CacheBehavior) bool { return b.PathPattern == uploadRoute }
	if err != nil || behavior.PathPattern == "" || slices.ContainsFunc(s.Distribution.OrderedCacheBehaviors, has) { // "": all goes to the app
		return err
	}
	methods, err := proxyMethods(s)
	if err != nil {
		return err
	}
	s.Distribution.OrderedCacheBehaviors = slices.Clone(s.Distribution.OrderedCacheBehaviors)
	s.RestAPI.Resources = slices.Clone(s.RestAPI.Resources)
	return addRoute(s, uploadRoute, behavior, methods)
}

// startUploads makes the bucket of bodies, open to the site's pages by CORS, and returns
// the settings by which the bootstrap finds it.
func (w *World) startUploads() (map[string]string, error) {
	u := w.cfg.App.Uploads
	if u == nil {
		return nil, nil
	}
	object := bodies
	if planned, err := settings.ParsePrefix(w.Stack.Function.Environment[settings.UploadsS3Variable]); err == nil && w.cfg.Stores != nil {
		object = planned
	}
	store, endpoint, err := w.uploadStore()
	if err != nil {
		return nil, err
	}
	store.Bucket(object.Bucket)
	if !w.configures(object.Bucket) {
		if err := w.configureUploads(store, object); err != nil {
			return nil, err
		}
	}
	env := map[string]string{
		settings.UploadsS3Variable: "s3://" + object.Bucket + "/" + object.Key, settings.UploadAuthorizeVariable: u.Authorize, settings.EndpointS3Variable: endpoint,
	}
	for name, value := range map[string]string{settings.UploadUserVariable: u.User, settings.UploadSecretVariable: u.Secret} {
		if value != "" {
			env[name] = value
		}
	}
	return env, nil
}

// limitUploads tells the bootstrap how much fits into /tmp, for a machine where it cannot see that.
func limitUploads(f stack.Function) map[string]string {
	if f.Environment[settings.UploadsS3Variable] == "" || f.Environment[settings.UploadLimitVariable] != "" {
		return nil
	}
	return map[string]string{settings.UploadLimitVariable: fmt.Sprintf("%dMiB", f.EphemeralStorage-settings.TmpMargin>>20)}
}

// configureUploads does what docs/uploads.md asks for of a bucket.
func (w *World) configureUploads(store *s3.Store, object settings.Object) error {
	if err := store.SetCORS(object.Bucket, w.corsRules([]stack.CORSRule{{AllowedMethods: []string{"PUT"}, AllowedHeaders: []string{"*"}, MaxAge: -1}})); err != nil {
		return err
	}
	return store.SetLifecycle(object.Bucket, lifecycleRules([]stack.LifecycleRule{{ID: "staging", Prefix: object.Key, ExpireDays: 1, AbortDays: 1}}))
}

// configures says whether a bucket has its CORS configuration from the plan.
func (w *World) configures(bucket string) bool {
	return w.cfg.Stores != nil && slices.ContainsFunc(w.Stack.Buckets, func(b stack.Bucket) bool { return b.Role == stack.RoleFiles && b.Bucket == bucket })
}

// uploadStore is the S3 of the app's stores, or one for uploads alone.
func (w *World) uploadStore() (*s3.Store, string, error) {
	if w.cfg.Stores != nil {
		return w.cfg.Stores.S3, w.cfg.Stores.S3URL, nil
	}
	dir := filepath.Join(w.dir, "uploads")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, "", fmt.Errorf("make a directory for uploads: %w", err)
	}
	store, err := s3.New(s3.Config{Dir: dir, Region: w.cfg.Region, Record: w.Recorder.Record, Log: w.cfg.Log})
	if err != nil {
		return nil, "", err
	}
	w.onClose(func(context.Context) error { return store.Close() })
	url, err := w.serve(store.API(w.keys()...))
	return store, url, err
}

// The protocol of docs/uploads.md, as it passes API Gateway.
const (
	ticketPath   = "/_sluice/uploads"
	ticketHeader = "Sluice-Upload"
	maxOffer     = 1 << 20 // of its answer that is read, in bytes
)

// followUploads tells the timeline which requests belong to one upload: the one that is
// given a ticket, and the one that has it. S3 tells of the PUTs between them.
func (w *World) followUploads(gateway http.Handler) http.Handler {
	if w.cfg.App.Uploads == nil {
		return gateway
	}
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		part := func(ticket, name string) {
			if object := objectOf(ticket); object != "" {
				w.Recorder.Record(timeline.Event{Kind: timeline.Upload, Hop: timeline.CloudFront, Request: r.Header.Get("X-Amz-Cf-Id"), Upload: object, Note: name})
			}
		}
		switch ticket := r.Header.Get(ticketHeader); {
		case ticket != "":
			part(ticket, timeline.UploadRequest)
		case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, ticketPath):
			out = &copied{ResponseWriter: out, whole: func(answer []byte) {
				var offer struct{ Ticket string }
				if json.Unmarshal(answer, &offer) == nil {
					part(offer.Ticket, timeline.UploadTicket)
				}
			}}
		}
		gateway.ServeHTTP(out, r)
	})
}

// objectOf reads the key of its object out of a ticket, which this side need not trust.
func objectOf(ticket string) string {
	payload, _, _ := strings.Cut(ticket, ".")
	data, err := base64.RawURLEncoding.DecodeString(payload)
	var t struct {
		Object string `json:"o"`
	}
	if err != nil || json.Unmarshal(data, &t) != nil {
		return ""
	}
	return t.Object
}

// copied keeps a copy of a short answer in JSON, and hands it on before its last bytes go to the client, with which the request ends.
type copied struct {
	http.ResponseWriter
	body  bytes.Buffer
	whole func([]byte)
}

func (c *copied) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *copied) Write(p []byte) (int, error) {
	c.body.Write(p[:min(len(p), max(0, maxOffer-c.body.Len()))])
	if bytes.HasSuffix(p, []byte("}")) && json.Valid(c.body.Bytes()) {
		c.whole(c.body.Bytes())
	}
	return c.ResponseWriter.Write(p)
}

// site is the front end as it is published.
func (w *World) site() (fs.FS, error) {
	if w.cfg.App.Uploads == nil || w.cfg.Site == nil {
		return w.cfg.Site, nil
	}
	return site.WithUploads(w.cfg.Site)
}
