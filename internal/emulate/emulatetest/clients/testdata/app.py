"""The function of awslambdaric, which has no streams."""


def handler(event, context):
    if event.get("do") == "error":
        raise Exception("no")
    if event.get("do") == "exit":
        raise SystemExit(3)
    return event
