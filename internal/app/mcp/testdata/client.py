"""Uses an MCP server through the official Python client, and prints a JSON line for each operation:

    python client.py URL LONG-TOOL
"""

import asyncio
import json
import logging
import sys
import time
from contextlib import asynccontextmanager

import httpx2
from mcp import ClientSession, types
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import ClientMessageMetadata

URL, TOOL = sys.argv[1:]
TIMEOUT = 60
logging.disable(logging.CRITICAL)  # each operation reports its own
statuses: dict[str, list[int]] = {"GET": [], "DELETE": []}
session_id = None


async def note(response: httpx2.Response) -> None:
    global session_id
    session_id = response.headers.get("mcp-session-id") or session_id
    if response.request.method in statuses:
        statuses[response.request.method].append(response.status_code)


@asynccontextmanager
async def connect(headers: dict[str, str] | None = None, terminate: bool = True):
    async with httpx2.AsyncClient(headers=headers, timeout=TIMEOUT, event_hooks={"response": [note]}) as http:
        async with streamable_http_client(URL, http_client=http, terminate_on_close=terminate) as (read, write, *_):
            async with ClientSession(read, write) as session:
                yield session


async def operation(name, run) -> bool:
    try:
        line = {"operation": name, "ok": True, **(await asyncio.wait_for(run(), TIMEOUT) or {})}
    except Exception as error:
        line = {"operation": name, "ok": False, "error": str(error) or type(error).__name__}
    print(json.dumps(line), flush=True)
    return line["ok"]


def call(metadata: ClientMessageMetadata, session: ClientSession, progress=None):
    request = types.CallToolRequest(params=types.CallToolRequestParams(name=TOOL, arguments={"duration": 2, "steps": 4}))
    return session.send_request(request, types.CallToolResult, metadata=metadata, progress_callback=progress)


async def resume():
    token, cut = None, asyncio.Event()

    async def remember(value: str) -> None:
        nonlocal token
        token = value

    async def progressed(*_) -> None:
        cut.set()

    global session_id
    session_id = None
    async with connect(terminate=False) as session:
        initialized = await session.initialize()
        task = asyncio.create_task(call(ClientMessageMetadata(on_resumption_token_update=remember), session, progressed))
        waiting = asyncio.create_task(cut.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if task.done():
            await task
    await asyncio.gather(task, return_exceptions=True)  # the connection is gone, the call goes on and ends
    if not token:
        raise RuntimeError("the server gives its events no ids")
    await asyncio.sleep(2.5)
    async with connect({"mcp-session-id": session_id} if session_id else None) as session:
        session.adopt(initialized)
        result = await call(ClientMessageMetadata(resumption_token=token), session)
        return {"text": result.content[0].text}


async def main() -> None:
    async with connect() as session:

        async def initialize():
            await session.initialize()
            return {"session": session_id is not None}

        async def stream():
            while not statuses["GET"]:
                await asyncio.sleep(0.05)
            return {"status": statuses["GET"][0]}

        async def tools():
            return {"tools": len((await session.list_tools()).tools)}

        async def long():
            progress, began = [], time.monotonic()

            async def progressed(*_) -> None:
                progress.append(round((time.monotonic() - began) * 1000))

            result = await session.call_tool(TOOL, {"duration": 2, "steps": 4}, progress_callback=progressed)
            return {"text": result.content[0].text, "progress": progress, "took": round((time.monotonic() - began) * 1000)}

        async def ping() -> None:
            await session.send_ping()

        if not await operation("initialize", initialize):
            sys.exit(1)
        if session_id:
            await operation("stream", stream)
        await operation("list", tools)
        await operation("call", long)
        await operation("ping", ping)
        await operation("resume", resume)
        statuses["DELETE"].clear()


asyncio.run(main())
print(json.dumps({"operation": "delete", "ok": all(s < 300 or s == 405 for s in statuses["DELETE"]), "status": statuses["DELETE"][:1]}))
