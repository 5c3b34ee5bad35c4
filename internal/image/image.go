// Package image makes the image that Lambda runs: the app's own
// image, the base, with the bootstrap added as a layer and put before the base's
// own entry point. It needs no container engine and unpacks nothing.
//
// The bytes are reproducible: the same base digest and the same options give
// the same digest on any machine, at any time, for any user, so that the digest
// is known before anything is sent. Lambda takes one manifest for one platform,
// of Docker's schema 2 or OCI's, with gzip layers, each with its parent
// directories listed first; Build makes exactly that or says why it cannot.
//
// The package knows neither AWS nor any app: credentials come as a keychain,
// paths and variables as options. It never runs anything from an image.
package image

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/image/registry"
	"github.com/aproorg/sluice/internal/image/source"
)

// Where Build puts its own files in the image. All lie in one directory.
const (
	Directory     = "/opt/sluice"
	BootstrapPath = Directory + "/bootstrap"
	CABundlePath  = Directory + "/ca.pem"
)

// A Link makes Path in the image a symbolic link to Target. On Lambda only /tmp
// is writable, so a link leads each path that the app writes to into /tmp.
type Link struct {
	Path   string `json:"path"`
	Target string `json:"target"`
}

// Links turns paths with their targets into links, in the order of the paths.
func Links(targets map[string]string) []Link {
	var links []Link
	for _, path := range slices.Sorted(maps.Keys(targets)) {
		links = append(links, Link{path, targets[path]})
	}
	return links
}

// Options say which image to make. Base and Bootstrap are required.
type Options struct {
	// Base is REPOSITORY:TAG, REPOSITORY@DIGEST, "oci:DIR" or "oci:DIR@DIGEST"
	// for an OCI layout, or "tar:FILE" for the output of docker save.
	Base string
	// To is REPOSITORY, REPOSITORY:TAG or "oci:DIR". Without a tag the tag
	// follows from the digest. Empty means: compute, send nothing.
	To string
	// Arch is amd64 (when empty) or arm64.
	Arch string
	// Bootstrap is the executable, for Arch.
	Bootstrap []byte
	// Links replace directories of the base. Their order has no meaning. The
	// bootstrap finds them in SLUICE_WRITABLE and makes their targets.
	Links []Link
	// Files are added below Directory by their absolute paths, for all to read.
	// Name them in Env.
	Files map[string][]byte
	// CABundle is PEM for CABundlePath. Nothing refers to it by itself: name
	// it in Env as the app wants it.
	CABundle []byte
	// CompileCache are files by their path in CompileCachePath, as ReadCompileCache gives them.
	// NODE_COMPILE_CACHE names that directory then, unless Env does.
	CompileCache map[string][]byte
	// Env and Labels are added to the base's own, replacing equal names.
	Env, Labels map[string]string
	// ReleaseVariable names a variable that becomes a digest of all that the image is
	// made of, the variable itself left out; Env goes over it. Empty is none. Two images
	// differ in it, so that what an app keeps outside is each release's own.
	ReleaseVariable string
	// Expect lists files or directories that the base must hold.
	Expect []string
	// DryRun asks the destination what it lacks, and changes nothing.
	DryRun bool
	// CacheDir, if set, remembers by base digest which paths were found.
	CacheDir string
	// Registry says how to reach registries.
	Registry registry.Access
	// Progress, if set, is called in order, from one goroutine at a time.
	Progress func(Event)
}

// An Event tells how far Build is. Done and Total are bytes.
type Event struct {
	Step  string `json:"step"` // base, check, layers, manifest
	Text  string `json:"text"`
	Done  int64  `json:"done,omitempty"`
	Total int64  `json:"total,omitempty"`
}

// Result is what Build made and what that took. Sizes are bytes, compressed.
type Result struct {
	Digest     string  `json:"digest"`
	MediaType  string  `json:"media_type"`
	Reference  string  `json:"reference,omitempty"` // by digest, for Lambda
	Tag        string  `json:"tag,omitempty"`
	Arch       string  `json:"architecture"`
	BaseDigest string  `json:"base_digest"`
	Size       int64   `json:"size"`
	Unchanged  bool    `json:"unchanged"` // the destination had all of it
	Sent       int64   `json:"bytes_sent"`
	Mounted    int64   `json:"bytes_mounted"`
	Present    int64   `json:"bytes_present"`
	Missing    int64   `json:"bytes_missing,omitempty"` // DryRun: what a push would move
	Layers     []Layer `json:"layers"`
	// Environment is what was added to the base's.
	Environment map[string]string `json:"environment"`
}

// A Layer is one layer of a Result, lowest first.
type Layer struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
	Added  bool   `json:"added"` // by Sluice, not the base's
}

// Image is a computed image with what is known of it before it is sent.
type Image struct {
	v1.Image
	Base   v1.Hash // digest of the base's manifest
	Arch   string
	digest v1.Hash
	added  int // layers

	environment map[string]string // added to the base's
}

// Digest returns the manifest's digest, which Compute has worked out.
func (i *Image) Digest() (v1.Hash, error) { return i.digest, nil }

// Compute makes the image without sending it. For a base in a registry it
// reads the manifest and the configuration only: some kilobytes.
func Compute(ctx context.Context, o Options) (*Image, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	base, err := source.OpenBase(ctx, o.Base, o.arch(), o.Registry)
	if err != nil {
		return nil, err
	}
	return assemble(base, o)
}

// Build makes the image and brings it to o.To. Sending what is there already
// costs one request. Nothing is visible at the destination before all of it is:
// the manifest goes last.
func Build(ctx context.Context, o Options) (Result, error) {
	progress := o.progress()
	progress(Event{Step: "base", Text: "read " + o.Base})
	img, err := Compute(ctx, o)
	if err != nil {
		return Result{}, err
	}
	result, err := img.Describe()
	if err != nil || o.To == "" {
		return result, err
	}
	sink, err := openSink(ctx, o, img)
	if err != nil {
		return result, err
	}
	result.Reference, result.Tag = sink.reference(), sink.tag()
	if result.Unchanged, err = sink.has(ctx); err != nil || result.Unchanged {
		return result, err
	}
	if o.DryRun {
		missing, present, err := sink.lacks(ctx)
		result.Missing, result.Present = size(missing), present
		return result, err
	}
	if err := check(ctx, img, o, sink); err != nil {
		return result, err
	}
	transfer, err := sink.put(ctx)
	result.Sent, result.Mounted, result.Present = transfer.sent, transfer.mounted, transfer.present
	return result, err
}

// Describe tells what is known of the image before it is sent.
func (i *Image) Describe() (Result, error) {
	manifest, err := i.Manifest()
	if err != nil {
		return Result{}, fmt.Errorf("read the new manifest: %w", err)
	}
	result := Result{
		Digest: i.digest.String(), MediaType: string(manifest.MediaType),
		Arch: i.Arch, BaseDigest: i.Base.String(), Size: manifest.Config.Size, Environment: i.environment,
	}
	for n, layer := range manifest.Layers {
		result.Size += layer.Size
		result.Layers = append(result.Layers, Layer{
			Digest: layer.Digest.String(), Size: layer.Size, Added: n >= len(manifest.Layers)-i.added,
		})
	}
	return result, nil
}

func (o Options) progress() func(Event) {
	if o.Progress == nil {
		return func(Event) {}
	}
	return o.Progress
}

func (o Options) arch() string {
	if o.Arch == "" {
		return "amd64"
	}
	return o.Arch
}

func (o Options) validate() error {
	switch {
	case o.Base == "":
		return hint.With(errors.New("no base image given"), "REPOSITORY:TAG, oci:DIR or tar:FILE")
	case o.arch() != "amd64" && o.arch() != "arm64":
		return fmt.Errorf("architecture %q: Lambda has amd64 and arm64", o.Arch)
	}
	if err := checkExecutable(o.Bootstrap, o.arch()); err != nil {
		return err
	}
	if err := checkPEM(o.CABundle); err != nil {
		return err
	}
	if err := checkFiles(o.Files); err != nil {
		return err
	}
	if err := checkCompileCache(o.CompileCache); err != nil {
		return err
	}
	return checkLinks(o.Links)
}
