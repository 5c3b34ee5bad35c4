"""The function of awslambdaric with hooks of Amazon's snapshot_restore_py."""

import os
import time
import uuid

from snapshot_restore_py import register_after_restore, register_before_snapshot

made = str(uuid.uuid4())
calls = []


@register_before_snapshot
def before():
    calls.append("before")
    if os.environ.get("HOOK") == "before":
        raise RuntimeError("no snapshot of this")


@register_after_restore
def after():
    calls.append("after")
    if os.environ.get("HOOK") == "after":
        raise RuntimeError("nothing to restore")


def handler(event, context):
    return {"made": made, "calls": calls, "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]}
