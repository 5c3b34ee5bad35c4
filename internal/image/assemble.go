package image

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/image/source"
)

// labelBase is OCI's annotation key for the base image's digest.
const labelBase = "org.opencontainers.image.base.digest"

// assemble puts the layers and the configuration on top of base. The bootstrap
// goes last: it changes most often, and then nothing else is sent.
func assemble(base *source.Base, o Options) (*Image, error) {
	added, err := additions(base, o)
	if err != nil {
		return nil, err
	}
	environment := o.environment()
	img, err := compose(base, added, o, environment)
	if _, given := environment[o.ReleaseVariable]; err != nil || o.ReleaseVariable == "" || given {
		return img, err
	}
	environment[o.ReleaseVariable] = img.digest.Hex[:releaseDigits]
	return compose(base, added, o, environment)
}

// releaseDigits is how much of a digest names a release.
const releaseDigits = 12

func compose(base *source.Base, added []mutate.Addendum, o Options, environment map[string]string) (*Image, error) {
	config, err := configure(base, o, environment)
	if err != nil {
		return nil, err
	}
	img, err := mutate.ConfigFile(base.Image, config)
	if err == nil {
		img, err = mutate.Append(img, added...)
	}
	if err != nil {
		return nil, fmt.Errorf("assemble the image: %w", err)
	}
	digest, err := img.Digest()
	if err != nil {
		return nil, fmt.Errorf("assemble the image: %w", err)
	}
	return &Image{Image: img, Base: base.Digest, Arch: o.arch(), digest: digest, added: len(added), environment: environment}, nil
}

func additions(base *source.Base, o Options) ([]mutate.Addendum, error) {
	mediaType := types.OCILayer
	if base.Manifest.MediaType == types.DockerManifestSchema2 {
		mediaType = types.DockerLayer
	}
	var added []mutate.Addendum
	add := func(text string, layer v1.Layer, err error) error {
		if err != nil {
			return fmt.Errorf("make the layer for %s: %w", text, err)
		}
		added = append(added, mutate.Addendum{Layer: layer, MediaType: mediaType, History: v1.History{
			Created: base.Config.Created, CreatedBy: "sluice image", Comment: text,
		}})
		return nil
	}
	if len(o.Links)+len(o.Files) > 0 {
		layer, err := appLayer(mediaType, o.Links, o.Files)
		if err := add("links of writable paths, files for the app", layer, err); err != nil {
			return nil, err
		}
	}
	if len(o.CABundle) > 0 {
		layer, err := fileLayer(mediaType, CABundlePath, 0o644, o.CABundle)
		if err := add("CA bundle", layer, err); err != nil {
			return nil, err
		}
	}
	if len(o.CompileCache) > 0 {
		layer, err := compileCacheLayer(mediaType, o.CompileCache)
		if err := add("compile cache", layer, err); err != nil {
			return nil, err
		}
	}
	layer, err := fileLayer(mediaType, BootstrapPath, 0o755, o.Bootstrap)
	return added, add("bootstrap", layer, err)
}

// configure returns the base's configuration with the bootstrap in front.
func configure(base *source.Base, o Options, environment map[string]string) (*v1.ConfigFile, error) {
	config := base.Config.DeepCopy()
	command := slices.Concat(config.Config.Entrypoint, config.Config.Cmd)
	if len(command) == 0 {
		return nil, fmt.Errorf("base image %s starts nothing: it has neither an entry point nor a command", o.Base)
	}
	if command[0] == BootstrapPath {
		return nil, hint.With(fmt.Errorf("base image %s holds the bootstrap already", o.Base), "give the image that it was made from")
	}
	config.Config.Entrypoint = append([]string{BootstrapPath, "--"}, command...)
	config.Config.Cmd = nil
	config.Config.Env = mergeEnv(config.Config.Env, environment)
	labels := maps.Clone(o.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[labelBase] = base.Digest.String()
	for key, value := range config.Config.Labels {
		if _, own := labels[key]; !own {
			labels[key] = value
		}
	}
	config.Config.Labels = labels
	config.History = padHistory(config.History, len(base.Manifest.Layers), config.Created)
	return config, nil
}

// writable is the bootstrap's variable for directories to make at a start: the
// links' targets, since /tmp is empty then.
const writable = settings.WritableVariable

func (o Options) environment() map[string]string {
	env := maps.Clone(o.Env)
	if env == nil {
		env = map[string]string{}
	}
	var paths []string
	if env[writable] != "" {
		paths = strings.Split(env[writable], ",")
	}
	for _, link := range o.Links {
		paths = append(paths, link.Path)
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	if len(paths) > 0 {
		env[writable] = strings.Join(paths, ",")
	}
	if _, given := env[settings.CompileCacheVariable]; len(o.CompileCache) > 0 && !given {
		env[settings.CompileCacheVariable] = CompileCachePath
	}
	return env
}

// mergeEnv replaces in place and appends new names sorted.
func mergeEnv(base []string, more map[string]string) []string {
	env := slices.Clone(base)
	for _, name := range slices.Sorted(maps.Keys(more)) {
		pair := name + "=" + more[name]
		at := slices.IndexFunc(env, func(have string) bool { return strings.HasPrefix(have, name+"=") })
		if at < 0 {
			env = append(env, pair)
		} else {
			env[at] = pair
		}
	}
	return env
}

// padHistory makes one entry per layer where the base has none or too few:
// tools match entries with layers by counting, and break on a difference.
func padHistory(history []v1.History, layers int, created v1.Time) []v1.History {
	for _, entry := range history {
		if !entry.EmptyLayer {
			layers--
		}
	}
	for ; layers > 0; layers-- {
		history = append(history, v1.History{Created: created, Comment: "layer of the base image"})
	}
	return history
}
