"""Work of every kind that is left after a response, for each of the frameworks here. URL is an upstream that takes its time."""

import asyncio
import os
import queue
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

URL = os.environ.get("URL", "")
pool = ThreadPoolExecutor(2)
inbox = queue.Queue()
tasks = set()  # asyncio holds them weakly


def done(name):
    print("done", name, flush=True)


def start(function, *args):
    threading.Thread(target=function, args=args, daemon=True).start()


def nap(name, seconds=0.3):
    time.sleep(seconds)
    done(name)


def compute(name):
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        pass
    done(name)


def ask(name, path="/"):
    urllib.request.urlopen(URL + path).read()
    done(name)


def consume():
    while True:
        nap(inbox.get())


def poll():
    while True:
        time.sleep(0.2)


start(consume)  # at its rest it waits for the queue

threads = {
    "none": lambda name: None,
    "thread": lambda name: start(nap, name),
    "compute": lambda name: start(compute, name),
    "pool": lambda name: pool.submit(nap, name),
    "queue": lambda name: inbox.put(name),
    "urllib": lambda name: start(ask, name),
    "silent": lambda name: start(ask, name, "/silent"),
    "long": lambda name: start(nap, name, 60),
    "poll": lambda name: start(poll),
    "waits": lambda name: start(threading.Event().wait),
}


def spawn(coroutine):
    task = asyncio.get_running_loop().create_task(coroutine)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


async def nap_async(name, seconds=0.3):
    await asyncio.sleep(seconds)
    done(name)


async def gather(name):
    await asyncio.gather(asyncio.sleep(0.1), asyncio.wait_for(asyncio.sleep(0.3), 5))
    done(name)


async def ask_async(name, path="/"):
    import httpx2

    async with httpx2.AsyncClient(timeout=60) as client:
        async with client.stream("GET", URL + path) as response:
            async for _ in response.aiter_bytes():
                pass
    done(name)


async def in_executor(name):
    await asyncio.get_running_loop().run_in_executor(None, nap, name)


channel = None


async def consume_async():
    while True:
        await nap_async(await channel.get())


async def put(name):
    global channel
    if channel is None:
        channel = asyncio.Queue()
        spawn(consume_async())
    await channel.put(name)


async def poll_async():
    while True:
        await asyncio.sleep(0.2)


coroutines = {
    "task": nap_async,
    "gather": gather,
    "httpx": ask_async,
    "silence": lambda name: ask_async(name, "/silent"),
    "executor": in_executor,
    "channel": put,
    "asleep": lambda name: nap_async(name, 60),
    "interval": lambda name: poll_async(),
    "event": lambda name: asyncio.Event().wait(),
}
