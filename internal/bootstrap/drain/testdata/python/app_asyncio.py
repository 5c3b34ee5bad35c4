"""A server of Python's own library, on any release."""

import asyncio
import os

import jobs


async def serve(reader, writer):
    name = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()[1:]
    writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()
    writer.close()
    if name in jobs.coroutines:
        jobs.spawn(jobs.coroutines[name](name))
    else:
        jobs.threads[name](name)


async def main():
    if os.environ.get("STARTS_FOR"):
        jobs.spawn(jobs.poll_async())
        await asyncio.sleep(float(os.environ["STARTS_FOR"]))
    server = await asyncio.start_server(serve, "127.0.0.1", int(os.environ["PORT"]))
    await server.serve_forever()


asyncio.run(main())
