"""LiteLLM as a library, with callbacks that take 3 s after the answer."""

import asyncio
import os
import time

import litellm
from fastapi import FastAPI

import jobs


class Callback(litellm.integrations.custom_logger.CustomLogger):
    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        await asyncio.sleep(3)
        jobs.done("callback")


def callback(kwargs, response, start_time, end_time):
    time.sleep(3)
    jobs.done("threaded")


app = FastAPI()
ask = {"model": "openai/m", "api_base": os.environ["URL"], "api_key": "k", "messages": [{"role": "user", "content": "hi"}]}


@app.get("/{name}")
async def serve(name: str):
    litellm.callbacks = [Callback()] if name == "callback" else []
    litellm.success_callback = [callback] if name == "threaded" else []
    if name == "callback":
        return (await litellm.acompletion(**ask)).choices[0].message.content
    if name == "threaded":
        return (await asyncio.get_running_loop().run_in_executor(None, lambda: litellm.completion(**ask))).choices[0].message.content
    return name
