// Written by `guardian install --agent`; `guardian uninstall --agent` removes it.
// Shows each shell command to `guardian hook opencode` before it is run, and refuses what would run past guardian. Tells each
// command its session, so that `guardian run --notify auto` knows whom to wake.
import { spawnSync } from "node:child_process";

const GUARDIAN = ["guardian"];

export const Guardian = async () => ({
  "tool.execute.before": async (input, output) => {
    if (input.tool !== "bash") return;
    const payload = JSON.stringify({ tool: input.tool, sessionID: input.sessionID, args: output.args });
    const [program, ...rest] = [...GUARDIAN, "hook", "opencode", "tool.execute.before"];
    const asked = spawnSync(program, rest, { input: payload, encoding: "utf8", timeout: 10000 });
    let answer = {};
    try {
      answer = JSON.parse(asked.stdout || "{}");
    } catch {
      return; // an answer that is none lets the call pass
    }
    if (answer.decision === "deny") throw new Error(answer.reason);
    if (answer.args) Object.assign(output.args, answer.args);
  },
  "shell.env": async (input, output) => {
    if (input.sessionID) output.env.OPENCODE_SESSION_ID = input.sessionID;
  },
});
