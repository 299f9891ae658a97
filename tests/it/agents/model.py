"""A model on loopback that wants shell commands, one after the other, and then is content, for `scripts/test-agents`.

model.py PORTFILE SEEN COMMAND...: speaks Anthropic's, OpenAI's and Google's forms, writes its port, and what the agent answered to each command to
SEEN, one JSON line for each. What it is asked is appended to SEEN.asked, one JSON line for each request.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORTFILE, SEEN, *COMMANDS = sys.argv[1:]
# What the agents call their shell.
SHELLS = ["Bash", "bash"]


def answers(body):
    """What the agent made of the commands so far, oldest first."""
    found = []
    for message in body.get("messages", []):
        content = message.get("content")
        found += [part.get("content") for part in content if part.get("type") == "tool_result"] if isinstance(content, list) else []
    for item in body.get("input", []) if isinstance(body.get("input"), list) else []:
        if str(item.get("type", "")).endswith("_call_output"):
            found.append(item.get("output"))
    for content in body.get("contents", []):
        found += [part["functionResponse"].get("response") for part in content.get("parts", []) if "functionResponse" in part]
    return found


def google(body, turn):
    names = [tool.get("name") for group in body.get("tools", []) for tool in group.get("functionDeclarations", [])]
    if turn >= len(COMMANDS) or "run_shell_command" not in names:
        part = {"text": "done"}
    else:
        part = {"functionCall": {"name": "run_shell_command", "args": {"command": COMMANDS[turn], "description": "start it"}}}
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
    return {"candidates": [{"index": 0, "content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}], "usageMetadata": usage}


def anthropic(body, turn):
    shell = next((name for name in SHELLS if any(tool.get("name") == name for tool in body.get("tools", []))), None)
    yield "message_start", {"message": {"id": "m", "type": "message", "role": "assistant", "model": body.get("model"), "content": [],
                                        "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}}
    if turn >= len(COMMANDS) or not shell:
        yield "content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}
        yield "content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "done"}}
        why = "end_turn"
    else:
        yield "content_block_start", {"index": 0, "content_block": {"type": "tool_use", "id": f"toolu_{turn}", "name": shell, "input": {}}}
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
            asked.write(json.dumps(body.get("messages") or body.get("input") or body.get("contents")) + "\n")
        said = answers(body)
        if said:
            with open(SEEN, "w") as seen:
                seen.writelines(json.dumps(answer) + "\n" for answer in said)
        streams = "enerateContent" not in self.path or "stream" in self.path
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if streams else "application/json")
        self.end_headers()
        if "enerateContent" in self.path:
            answer = json.dumps(google(body, len(said)))
            self.wfile.write(f"data: {answer}\n\n".encode() if streams else answer.encode())
            return
        events = anthropic if "/messages" in self.path else openai
        for name, data in events(body, len(said)):
            self.wfile.write(f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode())


server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
with open(PORTFILE, "w") as port:
    port.write(f"{server.server_address[1]}\n")
server.serve_forever()
