"""Reads streams through published Python clients, and prints a JSON line for each:

    python clients.py NAME=URL...
"""

import asyncio
import json
import logging
import sys
import threading

import anthropic
import httpx2
import openai
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

logging.disable(logging.CRITICAL)
asked = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def client_of_openai(url):
    return openai.OpenAI(base_url=url + "/v1", api_key="k", max_retries=0)


def chat(url, add):
    for chunk in client_of_openai(url).chat.completions.create(stream=True, **asked):
        add(chunk.choices[0].delta.content or "")


def responses(url, add):
    for event in client_of_openai(url).responses.create(model="m", input="hi", stream=True):
        if event.type == "response.output_text.delta":
            add(event.delta)


def accumulated(url, add):
    with client_of_openai(url).responses.stream(model="m", input="hi") as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                add(event.delta)


def messages(url, add):
    client = anthropic.Anthropic(base_url=url, api_key="k", max_retries=0)
    with client.messages.stream(max_tokens=9, **asked) as stream:
        for text in stream.text_stream:
            add(text)


def mcp(path):
    async def use(url, add):
        async with httpx2.AsyncClient(timeout=20) as http:
            async with streamable_http_client(url + path, http_client=http, terminate_on_close=False) as (read, write, *_):
                async with ClientSession(read, write) as session:
                    await session.initialize()
                    add((await session.call_tool("long", {})).content[0].text)

    return lambda url, add: asyncio.run(asyncio.wait_for(use(url, add), 15))


def innermost(error):
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def run(client, read, form, case, url):
    got, error = "", ""

    def add(text):
        nonlocal got
        got += text

    try:
        read(f"{url}/{case}", add)
    except BaseException as e:
        e = innermost(e)
        error = f"{type(e).__name__}: {e}"
    print(json.dumps({"client": client, "form": form, "case": case, "got": got, "error": error}), flush=True)


threads = [
    threading.Thread(target=run, args=(client, read, *form.split("=", 1)[:1], case, form.split("=", 1)[1]))
    for form in sys.argv[1:]
    for case in ("silence", "deadline")
    for client, read in {
        "openai (Python), chat": chat,
        "openai (Python), responses": responses,
        "openai (Python), responses.stream": accumulated,
        "anthropic (Python)": messages,
        "mcp (Python)": mcp("/mcp"),
        "mcp (Python), with ids": mcp("/ids/mcp"),
    }.items()
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
