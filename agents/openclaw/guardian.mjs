// Written by `guardian install --agent`; `guardian uninstall --agent` removes it.
// Shows each shell command to `guardian hook openclaw` before it is run, and refuses what would run past guardian.
import { spawnSync } from "node:child_process";

const GUARDIAN = ["guardian"];

export default {
  id: "guardian",
  name: "guardian",
  description: "Refuses shell commands that would leave a process running past guardian",
  register(api) {
    api.on(
      "before_tool_call",
      (event) => {
        if (event.toolName !== "exec") return undefined;
        const payload = JSON.stringify({ toolName: event.toolName, params: event.params });
        const [program, ...rest] = [...GUARDIAN, "hook", "openclaw", "before_tool_call"];
        const asked = spawnSync(program, rest, { input: payload, encoding: "utf8", timeout: 10000 });
        let answer = {};
        try {
          answer = JSON.parse(asked.stdout || "{}");
        } catch {
          return undefined; // an answer that is none lets the call pass
        }
        return answer.block || answer.params ? answer : undefined;
      },
      { priority: 50 },
    );
  },
};
