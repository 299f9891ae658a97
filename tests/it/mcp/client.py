"""A real MCP client (the official Python SDK, of either major version): calls every tool of the server given, in one session.

The SDK checks each structured answer against the tool's output schema. Ends with 1 and a trace where anything is not as it should be.
"""

import asyncio
import json
import os
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

try:
    from mcp import Client
except ImportError:  # 1.x
    Client = None

called = set()


async def use(client):
    async def call(tool, fails=False, **arguments):
        called.add(tool)
        result = await client.call_tool(tool, arguments)
        text = result.content[0].text
        failed = getattr(result, "is_error", None) or getattr(result, "isError", None) or False
        assert failed == fails, f"{tool} {arguments}: {text}"
        return text if fails else json.loads(text)

    listed = await client.list_tools()
    names = sorted(tool.name for tool in listed.tools)
    assert len(names) == 10, names
    ran = await call("run", command=["echo one; read line; echo got $line; exec sleep 1000"], name="bot", yield_s=0, target="forever")
    assert ran["name"] == "bot", ran
    rows = (await call("list"))["processes"]
    assert [row["name"] for row in rows] == ["bot"], rows
    assert (await call("status", names=["bot"]))["processes"][0]["state"] == "running"
    ran = await call("run", command=["sh", "-c", "echo out; exit 4"], yield_s=30)
    assert ran["exit_code"] == 4, ran
    waited = await call("wait", names=["bot"], timeout_s=0)
    assert waited["exit_code"] == 124, waited
    assert "one" in (await call("logs", name="bot"))["lines"]
    assert "hint" in await call("send", fails=True, name="nobody", text="hello")
    assert "pty = true" in await call("send", fails=True, name="bot", text="hello")
    await call("run", command=["read line; echo got $line; cat; exit 5"], name="reader", yield_s=0, stdin="pipe")
    assert (await call("send", name="reader", text="-n --eof hello"))["bytes"] == 15
    assert (await call("send", name="reader", text="rest", eof=True))["bytes"] == 5
    assert (await call("wait", names=["reader"], timeout_s=30))["exit_code"] == 5
    assert (await call("logs", name="reader"))["lines"] == ["got -n --eof hello", "rest"]
    await call("run", command=["cat"], name="tty", yield_s=0, pty=True, pty_size="100x30")
    await call("send", name="tty", text="abcx", keys=["BSpace", "Enter"])
    await call("send", name="tty", text="pasted", paste=True, keys=["Enter"])
    await call("send", name="tty", eof=True)
    assert (await call("wait", names=["tty"], timeout_s=30))["exit_code"] == 0
    assert "abc" in (await call("logs", name="tty"))["lines"]
    assert (await call("restart", names=["bot"]))["processes"][0]["run"] == 2
    await call("stop", names=["bot"])
    assert (await call("why", name="bot"))["verdict"] == "stopped"
    await call("start", names=["bot"])
    await call("stop", names=["bot"])
    print("called:", *sorted(called))


async def main():
    server = StdioServerParameters(command=sys.argv[1], args=["mcp"], env=dict(os.environ))
    if Client is None:
        async with stdio_client(server) as (reads, writes), ClientSession(reads, writes) as session:
            begun = await session.initialize()
            assert begun.serverInfo.name == "guardian", begun
            await use(session)
    else:
        async with Client(server) as client:
            await use(client)


asyncio.run(main())
