package site_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/aproorg/sluice/internal/site"
)

func put(key, text string) site.Put {
	sum := sha256.Sum256([]byte(text))
	return site.Put{Key: key, Body: strings.NewReader(text), Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:]),
		Headers: site.Headers{ContentType: "text/plain"}}
}
