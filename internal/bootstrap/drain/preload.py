"""Given to Python apps by Sluice's bootstrap, as a sitecustomize in front of any other. It answers one question over a unix
socket: is work of the app left that would be lost if the machine were frozen now? See package drain for what counts as work.
Where the machine was restored from a snapshot it seeds anew what draws random numbers in this process.
Where anything here fails the app runs as if it were not there. It is for Python 3.8 and
later.
"""

import os
import sys


def watch(path):
    import _socket
    import _thread
    import time
    import weakref

    # What gevent and others replace later is kept as it is now.
    start_thread, ident_of_this, socket, timed_out = _thread.start_new_thread, _thread.get_ident, _socket.socket, _socket.timeout
    clock, real_sleep = time.monotonic, time.sleep

    limit = 10.0  # s: who waits for longer, for nothing that is known to be an outgoing request, is standing

    # --- what a thread or a task does, by the modules and functions of its frames, the innermost first

    RUNS, REQUESTS, SLEEPS, BLOCKED = "runs", "requests", "sleeps", "is blocked"  # work, the last two up to the limit
    QUEUE, WAITS = "waits for a queue", "waits for others"  # no work; what waits for a queue at a rest may get some later

    http = ("http.client", "urllib3.", "httpcore", "httpx", "aiohttp.client", "botocore.")
    standing_streams = ("httpx_sse", "mcp.", "websockets.", "aiohttp.client_ws", "sseclient")
    pools = {("concurrent.futures.thread", "_worker"), ("anyio._backends._asyncio", "run"), ("waitress.task", "handler_thread"), ("cheroot.workers.threadpool", "run")}
    servers = ("selectors", "gunicorn.arbiter", "gunicorn.workers.", "waitress.wasyncore", "gevent.", "eventlet.", "asyncore", "uvloop", "uvicorn.", "asyncio.runners")

    def sleep(seconds):
        real_sleep(seconds)

    sleep.__module__, sleep.__qualname__, sleep.__doc__ = "time", "sleep", real_sleep.__doc__
    time.sleep = sleep
    sleep_code = sleep.__code__

    def names_of(frames):
        return [(f.f_globals.get("__name__") or "", f.f_code.co_name) for f in frames]

    def asks(names):
        modules = [module for module, _ in names]
        return any(m.startswith(http) for m in modules) and not any(m.startswith(standing_streams) for m in modules)

    def frames_of_thread(frame):
        frames = []
        while frame is not None and len(frames) < 80:
            frames.append(frame)
            frame = frame.f_back
        return frames

    def has_some(frame, name):
        # Work was put into the queue, and the thread that waits for it had no turn yet.
        try:
            queue = frame.f_locals[name]
            return (getattr(queue, "_qsize", None) or queue.qsize)() > 0  # the former takes no lock
        except Exception:
            return False

    def state_of_thread(frames):
        if frames[0].f_code is sleep_code:
            return SLEEPS
        names = names_of(frames)
        queued = False
        for frame, (module, function) in zip(frames, names):
            if module == "queue":
                queued = True
                if function == "get" and has_some(frame, "self"):
                    return BLOCKED
            elif module != "threading":
                if (module, function) in pools:
                    queued = True
                    if has_some(frame, "work_queue"):
                        return BLOCKED
                break
        if queued:
            return QUEUE
        if names[0][0] == "threading" or names[0][0].startswith(servers):
            return WAITS
        return REQUESTS if asks(names) else BLOCKED

    hidden = {"async_generator_asend", "async_generator_athrow", "coroutine_wrapper", "anext_awaitable"}

    def frames_of_task(task):
        import gc

        frames = []
        at = task.get_coro()
        for _ in range(200):
            if at is None:
                break
            if type(at).__name__ in hidden:
                at = next((x for x in gc.get_referents(at) if hasattr(x, "ag_frame") or hasattr(x, "cr_frame") or type(x).__name__ in hidden), None)
                continue
            for kind, inner in (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await")):
                frame = getattr(at, kind, None)
                if frame is not None:
                    frames.append(frame)
                    at = getattr(at, inner)
                    break
            else:
                break
        frames.reverse()
        return frames

    def state_of_task(task, frames):
        waiter = getattr(task, "_fut_waiter", None)
        if waiter is None or not frames:
            return RUNS
        if hasattr(waiter, "get_coro") or type(waiter).__name__ == "_GatheringFuture":
            return WAITS  # for another task, which counts itself
        names = names_of(frames)
        module, function = names[0]
        if module == "asyncio.locks":
            # An event stands for the bytes of a socket with anyio, and for others else.
            at = next((n for n in range(len(names)) if names[n][0] != "asyncio.locks"), 0)
            module, function = names[at]
            if module == "anyio._backends._asyncio" and function == "wait" and at + 1 < len(names):
                module, function = names[at + 1]
            if not module.startswith("anyio._backends"):
                return QUEUE if module == "anyio.streams.memory" else WAITS
        if module == "asyncio.queues":
            return QUEUE
        if module == "asyncio.tasks":
            return SLEEPS if function == "sleep" else WAITS
        return REQUESTS if asks(names) else BLOCKED

    def sleeps_for_long(frames):
        try:
            values = frames[0].f_locals
            seconds = values["seconds"] if frames[0].f_code is sleep_code else values["delay"]
            return seconds > limit
        except Exception:
            return False

    def place_of(frames):
        return [(id(f), f.f_lasti) for f in frames[:4]]

    def describe(kind, name, frames):
        frames = [f for f in frames if f.f_code is not sleep_code]
        libraries = (sys.prefix, sys.base_prefix, "<")
        own = [f for f in frames if "site-packages" not in f.f_code.co_filename and not f.f_code.co_filename.startswith(libraries)]
        where = "".join(" at %s:%s" % (os.path.basename(f.f_code.co_filename), f.f_lineno) for f in (own or frames)[:1])
        return ("%s %s%s" % (kind, name, where)).replace("\n", " ")[:120]

    # --- the tasks and threads there are

    def tasks():
        module = sys.modules.get("asyncio.tasks")
        if module is None:
            return []
        if sys.version_info >= (3, 14):
            groups = [module.all_tasks(loop) for loop in running_loops()]
        else:
            groups = [copy(getattr(module, name, ())) for name in ("_all_tasks", "_scheduled_tasks", "_eager_tasks")]
        return {task for group in groups for task in group if not task.done()}

    def running_loops():
        kind = sys.modules["asyncio.events"].AbstractEventLoop
        found = set()
        for frame in sys._current_frames().values():
            for f in frames_of_thread(frame):
                if (f.f_globals.get("__name__") or "").startswith("asyncio."):
                    this = f.f_locals.get("self")
                    found.update(x for x in (this, getattr(this, "_loop", None)) if isinstance(x, kind))
        return found

    def copy(group):
        for _ in range(1000):
            try:
                return list(group)
            except RuntimeError:  # changed meanwhile
                continue
        return []

    def threads():
        active = getattr(sys.modules.get("threading"), "_active", {})
        found = {}
        for ident, frame in sys._current_frames().items():
            thread = active.get(ident)
            if ident not in (state.own, state.main):
                found[(ident, getattr(thread, "native_id", 0))] = (getattr(thread, "name", "unnamed"), frame)
        return found

    def ticks(native):
        # Of the processor: a thread that computes outside of Python shows no other sign of it.
        try:
            with open("/proc/self/task/%d/stat" % native, "rb") as f:
                fields = f.read().rsplit(b")", 1)[1].split()
            return int(fields[11]) + int(fields[12])
        except Exception:
            return 0

    # --- is work left?

    class State:
        main = own = 0
        conn = None

        def __init__(self):
            self.rest_places = set()  # of the main thread
            self.clear()
            self.standing_tasks, self.standing_threads = weakref.WeakSet(), set()

        def clear(self):
            # What is known of each task and thread since the last rest.
            self.seen_tasks, self.seen_threads = weakref.WeakKeyDictionary(), {}
            self.left = {}  # what has waited for too long since then

    state = State()

    def main_place():
        frame = sys._current_frames().get(state.main)
        if frame is None:
            return None, []
        frames = frames_of_thread(frame)
        top = frames[1] if frame.f_code is sleep_code and len(frames) > 1 else frame
        return (top.f_code, top.f_lasti), frames

    def rest(learn=False):
        """What is under way now is standing, but who waits for a queue."""
        standing = weakref.WeakSet()
        for task in tasks():
            if state_of_task(task, frames_of_task(task)) != QUEUE:
                standing.add(task)
        state.standing_tasks = standing
        state.standing_threads = {key for key, (_, frame) in threads().items() if state_of_thread(frames_of_thread(frame)) != QUEUE}
        if learn:
            place, _ = main_place()
            state.rest_places.add(place)
        state.clear()

    def counts(known, key, doing, frames, cpu):
        """Says whether this is work still. One that blocks at one place, or that sleeps in all, for longer than the limit is not."""
        now, place = clock(), place_of(frames)
        seen = known.get(key)
        if seen is None:
            seen = known[key] = {"at": now, "since": now, "slept": 0.0, "place": place, "doing": doing, "cpu": cpu, "given up": False}
            return doing not in (QUEUE, WAITS) and not (doing == SLEEPS and sleeps_for_long(frames) and give_up(seen))
        passed, moved = now - seen["at"], place != seen["place"] or cpu != seen["cpu"]
        if doing == SLEEPS and seen["doing"] == SLEEPS:
            seen["slept"] += passed
        if moved or doing != seen["doing"]:
            seen["since"] = now
        seen.update(at=now, place=place, doing=doing, cpu=cpu)
        if seen["given up"] or doing in (QUEUE, WAITS):
            return False
        if doing == SLEEPS and (seen["slept"] > limit or sleeps_for_long(frames)) or doing == BLOCKED and now - seen["since"] > limit:
            return not give_up(seen)
        return True

    def give_up(seen):
        seen["given up"] = True
        return True

    def work():
        found = []

        def judge(known, kind, name, key, doing, frames, cpu=0):
            if counts(known, key, doing, frames, cpu):
                found.append(describe(kind, name, frames))
            elif known[key]["given up"]:
                state.left.setdefault(id(known[key]), describe(kind, name, frames))

        place, frames = main_place()
        if frames and place not in state.rest_places:
            doing = state_of_thread(frames)
            judge(state.seen_threads, "thread", "main", "main", doing, frames)
            if state.seen_threads["main"]["given up"]:
                state.rest_places.add(place)  # it rests there, as it seems
        for task in tasks():
            if task not in state.standing_tasks:
                frames = frames_of_task(task)
                judge(state.seen_tasks, "task", getattr(task.get_coro(), "__qualname__", "?"), task, state_of_task(task, frames), frames)
        for key, (name, frame) in threads().items():
            if key not in state.standing_threads:
                frames = frames_of_thread(frame)
                judge(state.seen_threads, "thread", name, key, state_of_thread(frames), frames, ticks(key[1]))
        return ", ".join(found[:3])

    # --- after a restore

    def renew():
        """Other environments have been restored from the same memory."""
        loaded = sys.modules.get
        if loaded("_ssl"):
            loaded("_ssl").RAND_add(os.urandom(32), 32.0)  # to the generator that all threads' follow
        if loaded("random"):
            loaded("random").seed()
        if loaded("numpy.random"):
            loaded("numpy.random").seed()
        if loaded("tempfile"):
            loaded("tempfile")._name_sequence = None

    # --- the conversation with the bootstrap

    def greenlets():
        return bool(getattr(sys.modules.get("gevent.monkey"), "saved", None) or getattr(sys.modules.get("eventlet.patcher"), "already_patched", None))

    def say(text):
        state.conn.sendall(text.encode("utf-8", "replace") + b"\n")

    rounds = 3  # looks, a millisecond apart, at which nothing is left

    def converse():
        state.own = ident_of_this()
        text, asked, calm, pause, reported, told = b"", None, 0, 0.001, 0.0, False
        while True:
            try:
                state.conn.settimeout(pause if asked else None)
                more = state.conn.recv(4096)
                if not more:
                    return
                text += more
            except timed_out:
                pass
            while b"\n" in text:
                line, text = text.split(b"\n", 1)
                verb, _, number = line.decode("latin-1").partition(" ")
                if verb == "drain":
                    if not told and greenlets():
                        told = True
                        say("lost greenlets are not seen")
                    asked, calm, pause, reported = number, 0, 0.001, 0.0
                elif verb in ("forget", "started"):
                    asked = None
                    rest(learn=True)
                    say("idle " + number)
                elif verb == "renew":
                    renew()
                    say("idle " + number)
            if not asked:
                continue
            left = work()
            if left:
                calm, pause = 0, min(pause * 1.5, 0.02)
                if clock() - reported > 0.25:
                    reported = clock()
                    say("busy %s %s" % (asked, left))
                continue
            calm, pause = calm + 1, 0.001
            if calm == rounds:
                standing = ", ".join(list(state.left.values())[:3])
                rest()
                answer, asked = asked, None
                say(("idle %s %s" % (answer, standing)).rstrip())

    def run():
        try:
            converse()
        except Exception as error:  # the app comes first
            try:
                say(("lost %s: %s" % (type(error).__name__, error)).replace("\n", " "))
            except Exception:
                pass
        state.conn.close()

    def begin():
        state.main = ident_of_this()
        state.conn = socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        state.conn.connect(path)
        say("hello %d python" % os.getpid())
        start_thread(run, ())

    def begin_again():
        try:
            os.close(state.conn.detach())
            state.__init__()
            begin()
        except Exception:
            pass

    begin()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=begin_again)


def load_next():
    """Loads the sitecustomize that would have been loaded without this one."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    this = sys.modules.pop(__name__)
    try:
        __import__(__name__)
    except ImportError as error:
        if error.name != __name__:
            raise
    finally:
        sys.modules.setdefault(__name__, this)


if os.environ.get("SLUICE_DRAIN_SOCKET") and sys.version_info >= (3, 8):
    try:
        watch(os.environ["SLUICE_DRAIN_SOCKET"])
    except Exception:
        pass  # the app comes first
load_next()
