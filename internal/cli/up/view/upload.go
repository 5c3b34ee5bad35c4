package view

import (
	"fmt"

	"github.com/aproorg/sluice/internal/timeline"
	"github.com/aproorg/sluice/internal/ui"
)

// part is a request's part in an upload by way of S3, in JSON.
type part struct {
	Number int     `json:"number"`
	Part   string  `json:"part"` // ticket, put or request
	Puts   int     `json:"puts,omitempty"`
	Bytes  int64   `json:"bytes,omitempty"`
	Ticket float64 `json:"ticketMs,omitempty"`
	Stored float64 `json:"s3Ms,omitempty"`
	Whole  float64 `json:"totalMs,omitempty"`
}

func newPart(p timeline.Part) *part {
	if p.Number == 0 {
		return nil
	}
	return &part{p.Number, p.Name, p.Puts, p.Bytes, milliseconds(p.Ticket), milliseconds(p.Stored), milliseconds(p.Whole)}
}

// partOf says for people to which upload a request belongs and, with the request that
// the app took, what the upload was as one.
func partOf(p timeline.Part) string {
	switch {
	case p.Number == 0:
		return ""
	case p.Name != timeline.UploadRequest || p.Puts == 0: // refused
		return fmt.Sprintf("  upload %d: %s", p.Number, p.Name)
	}
	return fmt.Sprintf("  upload %d: %s by way of S3 in %s (ticket %s, %s %s, then this request)", p.Number, ui.Bytes(p.Bytes), ui.Duration(p.Whole),
		ui.Duration(p.Ticket), counted(p.Puts, "PUT"), ui.Duration(p.Stored))
}
