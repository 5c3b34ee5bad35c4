from flask import Flask, Response

import jobs

app = Flask(__name__)


@app.get("/<name>")
def serve(name):
    response = Response(name)
    if name == "close":
        response.call_on_close(lambda: jobs.nap(name))
    else:
        jobs.threads[name](name)
    return response
