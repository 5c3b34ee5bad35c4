package site

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/aproorg/sluice/internal/hint"
)

// Keys below Prefix. The release is the truth and is written last. A pending
// one tells the next run what this one had put there before it was killed.
const (
	releaseKey = Prefix + "release.json"
	pendingKey = Prefix + "pending.json"
	earlierKey = Prefix + "releases/" // + ID + ".json"
	keptKey    = Prefix + "kept/"     // + SHA-256 of what was overwritten
)

// Release is the object at releaseKey: what the bucket holds and why.
type Release struct {
	Version int       `json:"version"` // of this format
	ID      string    `json:"id"`      // follows from the files
	Made    time.Time `json:"made"`
	// Previous is what Rollback goes back to.
	Previous string          `json:"previous,omitempty"`
	Files    map[string]File `json:"files"`
	// Retired are files of earlier releases, with the time they left.
	Retired map[string]Retired `json:"retired,omitempty"`
	// Kept are copies of overwritten files below keptKey, by their SHA-256, and
	// Earlier the releases that can still be rolled back to.
	Kept    map[string]time.Time `json:"kept,omitempty"`
	Earlier map[string]time.Time `json:"earlier,omitempty"`

	etag string
}

// Retired is a file that is no longer part of the site but still served.
type Retired struct {
	File
	Since time.Time `json:"since"`
}

const formatVersion = 1

// identify derives a release's ID from all that a browser could notice.
func identify(files map[string]File) string {
	sum := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(files)) {
		file := files[path]
		fmt.Fprintf(sum, "%q %s %q %q\n", path, file.SHA256, file.ContentType, file.CacheControl)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

// read returns the release at key, or an empty one where there is none.
func read(ctx context.Context, store Store, key string) (*Release, error) {
	text, etag, err := store.Get(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return &Release{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	release, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	release.etag = etag
	return release, nil
}

// parse reads a release that anyone with access to the bucket may have written.
func parse(text []byte) (*Release, error) {
	release := &Release{}
	if err := json.Unmarshal(text, release); err != nil {
		return nil, hint.With(err, "delete the object; the next run then uploads all files")
	}
	if release.Version != formatVersion {
		return nil, hint.With(fmt.Errorf("format %d is not of this sluice, which knows %d", release.Version, formatVersion), "use the sluice that wrote it")
	}
	for path := range release.Files {
		if !fs.ValidPath(path) {
			return nil, fmt.Errorf("holds the path %q", path)
		}
	}
	for path := range release.Retired {
		if !fs.ValidPath(path) {
			return nil, fmt.Errorf("holds the path %q", path)
		}
	}
	return release, nil
}

// write puts a release at key, if nobody has put another there since it was
// read with the ETag given.
func write(ctx context.Context, store Store, key string, release *Release, etag string) error {
	text, err := json.Marshal(release)
	if err != nil {
		return err
	}
	return putJSON(ctx, store, key, text, etag)
}

func putJSON(ctx context.Context, store Store, key string, text []byte, etag string) error {
	sum := sha256.Sum256(text)
	_, err := store.Put(ctx, Put{
		Key: key, Body: bytes.NewReader(text), Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:]),
		Headers: Headers{ContentType: "application/json", CacheControl: noStore},
		IfMatch: etag, IfAbsent: etag == "",
	})
	if errors.Is(err, ErrConflict) {
		return hint.With(fmt.Errorf("write %s: another run is changing the bucket: %w", key, err), "wait for it, then run again")
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}
