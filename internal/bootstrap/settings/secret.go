package settings

import "log/slog"

const redacted = "[redacted]"

// Secret is a value that no formatting, encoding or logging shows. Only Reveal gives it. The zero value is none.
type Secret struct{ value string }

// NewSecret wraps a value.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the value, for the one place that it is meant for.
func (s Secret) Reveal() string { return s.value }

// String hides the value from %s and %v, GoString from %#v, MarshalText from encoders, LogValue from slog.
func (Secret) String() string               { return redacted }
func (Secret) GoString() string             { return redacted }
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
