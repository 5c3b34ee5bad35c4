package mingo

import (
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/text/collate"
	"golang.org/x/text/language"
)

// collator compares strings as https://www.mongodb.com/docs/manual/reference/collation/ says: by strength 1 letters
// only, by 2 accents too, by 3 and more case too. It refuses what it has no equal for.
func collator(spec bson.Raw) (*collate.Collator, error) {
	var c struct {
		Locale          string `bson:"locale"`
		Strength        int    `bson:"strength"`
		NumericOrdering bool   `bson:"numericOrdering"`
		CaseLevel       bool   `bson:"caseLevel"`
		CaseFirst       string `bson:"caseFirst"`
		Alternate       string `bson:"alternate"`
		Backwards       bool   `bson:"backwards"`
	}
	if err := bson.Unmarshal(spec, &c); err != nil {
		return nil, fmt.Errorf("read collation: %w", err)
	}
	if c.Locale == "simple" {
		return nil, nil
	}
	if c.CaseLevel || c.CaseFirst != "" && c.CaseFirst != "off" || c.Alternate == "shifted" || c.Backwards {
		return nil, &Error{Operator: "collation", Message: "caseLevel, caseFirst, alternate and backwards of a collation are not known"}
	}
	tag, err := language.Parse(c.Locale)
	if err != nil {
		return nil, &Error{Message: fmt.Sprintf("Field 'locale' is invalid in: %s", spec)}
	}
	var options []collate.Option
	switch c.Strength {
	case 1:
		options = append(options, collate.IgnoreCase, collate.IgnoreDiacritics)
	case 2:
		options = append(options, collate.IgnoreCase)
	}
	if c.NumericOrdering {
		options = append(options, collate.Numeric)
	}
	return collate.New(tag, options...), nil
}
