package rehearse

import (
	"context"

	"github.com/aproorg/sluice/internal/emulate/lambda"
	"github.com/aproorg/sluice/internal/stack"
)

// How environments start.
const (
	StartOnDemand  = "on-demand"
	StartSnapStart = "snapstart"
)

// snapStart is nil where environments start on demand, or ahead by provisioned concurrency.
func (w *World) snapStart() *lambda.SnapStart {
	if w.Stack.Function.SnapStart != stack.SnapStartVersions {
		return nil
	}
	return &lambda.SnapStart{Label: w.cfg.App.SnapStartLabel}
}

// publish runs the init phase that environments come from, once all is there that it asks
// for.
func (w *World) publish(ctx context.Context) error {
	if w.snapStart() == nil {
		return nil
	}
	if await := w.cfg.App.Await; await != nil {
		if err := await(ctx); err != nil {
			return err
		}
	}
	if w.cfg.Progress != nil {
		w.cfg.Progress("publishing a version: the app starts once for its snapshot")
	}
	if age := w.cfg.SnapshotAge; age > 0 && w.cfg.Stores != nil && w.cfg.Stores.Redis != nil {
		w.cfg.Stores.Redis.SetBehind(age) // an app may compare its clock with Redis's
		defer w.cfg.Stores.Redis.SetBehind(0)
	}
	snapshot, err := w.Lambda.Publish(ctx)
	if err != nil {
		return err
	}
	w.Snapshot = &snapshot
	return nil
}
