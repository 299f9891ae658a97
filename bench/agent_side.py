"""What an agent asks of guardian, measured: hooks, `run`, `wait`, MCP."""

import json
import os
import subprocess
import time

from measure import NOTHING, activity, kill, median, now, stamp_after, stamps, wait_for_stamps

PROTOCOL = "2025-11-25"


def tool_call(command):
    """A payload of Claude Code before a shell command."""
    call = {"session_id": "s", "transcript_path": "/nowhere", "cwd": "/", "hook_event_name": "PreToolUse"}
    return json.dumps(call | {"tool_name": "Bash", "tool_input": {"command": command}}).encode()


def hooks(guardian, rounds):
    """CPU of one answer: to an ordinary command, and to a large one that starts something behind five wrappers."""
    small = "cd /srv && cargo test 2>&1 | tail -5"
    large = "env A=1 sudo -E timeout 5 nice bash -c 'nohup python bot.py > log 2>&1 &'\n" + "echo 'a & b' && make -j4\n" * 200
    return {f"hook_{size}": median([hook(guardian, command) for _ in range(rounds)]) / 1e6 for size, command in (("small", small), ("large", large))}


def hook(guardian, command):
    payload = guardian.home / "payload.json"
    payload.write_bytes(tool_call(command))
    actions = [(os.POSIX_SPAWN_OPEN, 0, str(payload), os.O_RDONLY, 0), *((os.POSIX_SPAWN_DUP2, NOTHING, fd) for fd in (1, 2))]
    pid = os.posix_spawn(str(guardian.binary), ["guardian", "hook", "claude"], guardian.env, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"bench: the hook ended with {os.waitstatus_to_exitcode(status)}")
    return int((usage.ru_utime + usage.ru_stime) * 1e9)


def runs(guardian, rounds):
    """`run` of a program that ends at once: asked to its first instruction, and to the answer with its code."""
    firsts, returns = [], []
    file = guardian.home / "run.stamps"
    for number in range(rounds):
        had = len(stamps(file))
        at, ended, _ = guardian.timed("run", "--name", f"r{number}", "--", guardian.programs, "once", file)
        firsts.append(stamp_after(file, had) - at)
        returns.append(ended - at)
    guardian.clear()
    return {"run_first": median(firsts) / 1e6, "run_returned": median(returns) / 1e6}


def waits(guardian, rounds, idle_s):
    """A `wait` for 100 processes: what it uses meanwhile; and how long after an end one that waits for it is back."""
    names = [f"p{number}" for number in range(100)]
    guardian.write_registry(names, keys=lambda _: 'restart = "never"')
    guardian.timed("start", "--all")
    wait_for_stamps(guardian.stamps(name) for name in names)
    waiter = subprocess.Popen([guardian.binary, "wait", "--all"], env=guardian.env, stdout=NOTHING, stderr=NOTHING)
    time.sleep(2)  # it has looked at all of them
    before, _ = activity([waiter.pid])
    time.sleep(idle_s)
    after, _ = activity([waiter.pid])
    waiter.kill()
    waiter.wait()
    late = []
    for name in names[:rounds]:
        pid = guardian.status(name)["pid"]
        one = subprocess.Popen([guardian.binary, "wait", name], env=guardian.env, stdout=NOTHING, stderr=NOTHING)
        time.sleep(0.1)  # it waits
        at = kill(pid)
        one.wait()
        late.append(now() - at)
    guardian.clear()
    return {"wait_cpu": (after - before) / 1e6, "wait_late": median(late) / 1e6}


def mcp(guardian, rounds):
    """From a `status` call to its answer, in a session that is under way."""
    guardian.write_registry(["one"])
    guardian.timed("start", "one")
    server = subprocess.Popen([guardian.binary, "mcp"], env=guardian.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=NOTHING)

    def ask(number, method, parameters):
        at = now()
        line = {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
        server.stdin.write(json.dumps(line).encode() + b"\n")
        server.stdin.flush()
        answer = json.loads(server.stdout.readline())
        if answer.get("id") != number or "result" not in answer or answer["result"].get("isError"):
            raise SystemExit(f"bench: mcp answered {answer}")
        return now() - at

    hello = {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
    ask(0, "initialize", hello)
    server.stdin.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
    trips = [ask(number, "tools/call", {"name": "status", "arguments": {}}) for number in range(1, rounds + 1)]
    server.stdin.close()
    server.wait()
    guardian.clear()
    return {"mcp_status": median(trips) / 1e6}


def measure(guardian, rounds, idle_s):
    """All rows of this file."""
    return hooks(guardian, rounds) | runs(guardian, rounds) | waits(guardian, rounds, idle_s) | mcp(guardian, rounds)
