from fastapi import BackgroundTasks, FastAPI

import jobs

app = FastAPI()


@app.get("/{name}")
async def serve(name: str, background: BackgroundTasks):
    if name == "background":
        background.add_task(jobs.nap_async, name)
    elif name == "syncbackground":
        background.add_task(jobs.nap, name)
    elif name in jobs.coroutines:
        jobs.spawn(jobs.coroutines[name](name))
    else:
        jobs.threads[name](name)
    return name
