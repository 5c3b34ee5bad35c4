//go:build !release

package notice

// Text is empty: who builds sluice from source has fetched what is in it, with the licences.
var Text string
