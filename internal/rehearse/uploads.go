package rehearse

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/emulate/s3"
	"github.com/aproorg/sluice/internal/site"
	"github.com/aproorg/sluice/internal/stack"
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
		if err := store.SetCORS(object.Bucket, w.corsRules([]stack.CORSRule{{AllowedMethods: []string{"PUT"}, AllowedHeaders: []string{"*"}, MaxAge: -1}})); err != nil {
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

// site is the front end as it is published.
func (w *World) site() (fs.FS, error) {
	if w.cfg.App.Uploads == nil || w.cfg.Site == nil {
		return w.cfg.Site, nil
	}
	return site.WithUploads(w.cfg.Site)
}
