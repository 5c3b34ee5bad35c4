package stack

import (
	"fmt"
	"slices"
)

// Validate reports what cannot be run: a behavior without its origin, an
// integration without its function, an empty stage.
func (s *Stack) Validate() error {
	d := s.Distribution
	for _, b := range append([]CacheBehavior{d.DefaultCacheBehavior}, d.OrderedCacheBehaviors...) {
		if !slices.ContainsFunc(d.Origins, func(o Origin) bool { return o.OriginID == b.TargetOriginID }) {
			return fmt.Errorf("%s: behavior %q: target_origin_id %q is no origin of the distribution", d.Address, b.PathPattern, b.TargetOriginID)
		}
	}
	if s.RestAPI.StageName == "" {
		return fmt.Errorf("%s: its stage has no stage_name", s.RestAPI.Address)
	}
	if len(s.RestAPI.Resources) == 0 {
		return fmt.Errorf("%s: has no resource with a method", s.RestAPI.Address)
	}
	if s.Function.Timeout <= 0 || s.Function.MemorySize <= 0 {
		return fmt.Errorf("%s: timeout and memory_size must be above 0", s.Function.Address)
	}
	return nil
}
