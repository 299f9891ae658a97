"""A model on loopback that wants shell commands, one after the other, and then is content, for `scripts/test-agents`.

model.py PORTFILE SEEN COMMAND...: speaks Anthropic's and OpenAI's forms, writes its port, and what the agent answered to each command to
SEEN, one JSON line for each. What it is asked is appended to SEEN.asked, one JSON line for each request.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORTFILE, SEEN, *COMMANDS = sys.argv[1:]


def answers(body):
    """What the agent made of the commands so far, oldest first."""
    found = []
    for message in body.get("messages", []):
        content = message.get("content")
        found += [part.get("content") for part in content if part.get("type") == "tool_result"] if isinstance(content, list) else []
    for item in body.get("input", []) if isinstance(body.get("input"), list) else []:
        if str(item.get("type", "")).endswith("_call_output"):
            found.append(item.get("output"))
    return found


def anthropic(body, turn):
    shell = any(tool.get("name") == "Bash" for tool in body.get("tools", []))
    yield "message_start", {"message": {"id": "m", "type": "message", "role": "assistant", "model": body.get("model"), "content": [],
                                        "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}}
    if turn >= len(COMMANDS) or not shell:
        yield "content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}
        yield "content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "done"}}
        why = "end_turn"
    else:
        yield "content_block_start", {"index": 0, "content_block": {"type": "tool_use", "id": f"toolu_{turn}", "name": "Bash", "input": {}}}
        call = json.dumps({"command": COMMANDS[turn], "description": "start it"})
        yield "content_block_delta", {"index": 0, "delta": {"type": "input_json_delta", "partial_json": call}}
        why = "tool_use"
    yield "content_block_stop", {"index": 0}
    yield "message_delta", {"delta": {"stop_reason": why, "stop_sequence": None}, "usage": {"output_tokens": 1}}
    yield "message_stop", {}


def openai(body, turn):
    names = [tool.get("name") for tool in body.get("tools", [])]
    if turn >= len(COMMANDS):
        item = {"type": "message", "id": "i", "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": "done", "annotations": []}]}
    else:
        name = "exec_command" if "exec_command" in names else "shell_command"
        call = {"cmd" if name == "exec_command" else "command": COMMANDS[turn]}
        item = {"type": "function_call", "id": "i", "call_id": f"c{turn}", "name": name, "arguments": json.dumps(call), "status": "completed"}
    yield "response.created", {"response": {"id": "r"}}
    yield "response.output_item.done", {"output_index": 0, "item": item}
    usage = {"input_tokens": 1, "input_tokens_details": None, "output_tokens": 1, "output_tokens_details": None, "total_tokens": 2}
    yield "response.completed", {"response": {"id": "r", "output": [item], "usage": usage}}


class Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.send_response(200)
        self.end_headers()

    def do_GET(self):
        self.send_response(404)
        self.end_headers()

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
        with open(SEEN + ".asked", "a") as asked:
            asked.write(json.dumps(body.get("messages") or body.get("input")) + "\n")
        said = answers(body)
        if said:
            with open(SEEN, "w") as seen:
                seen.writelines(json.dumps(answer) + "\n" for answer in said)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        events = anthropic if "/messages" in self.path else openai
        for name, data in events(body, len(said)):
            self.wfile.write(f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode())


server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
with open(PORTFILE, "w") as port:
    port.write(f"{server.server_address[1]}\n")
server.serve_forever()
