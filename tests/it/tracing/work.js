// Worker threads, children and signals in Node; ends with 3 at SIGTERM.
const { Worker } = require("worker_threads");
const { spawnSync, spawn } = require("child_process");

const worker = (n) => new Promise((done) => {
  const code = "const {parentPort, workerData} = require('worker_threads'); let s = 0; for (let i = 0; i < workerData * 1e5; i++) s += i; parentPort.postMessage(s);";
  new Worker(code, { eval: true, workerData: n }).on("message", done);
});
const killed = () => new Promise((done) => {
  const child = spawn("/bin/sleep", ["100"]);
  child.on("exit", (code, signal) => done(`${code} ${signal}`));
  child.on("spawn", () => child.kill("SIGTERM"));
});
(async () => {
  let hits = 0;
  process.on("SIGUSR2", () => hits++);
  process.kill(process.pid, "SIGUSR2");
  while (hits === 0) await new Promise((next) => setTimeout(next, 1));
  console.log("hits", hits);
  console.log("workers", await Promise.all([1, 2, 3, 4].map(worker)));
  console.log("children", [0, 1, 2].map((n) => spawnSync("/bin/sh", ["-c", `exit ${n}`]).status));
  console.log("killed", await killed());
  process.on("SIGTERM", () => process.exit(3));
  console.log("ready");
  setInterval(() => {}, 1000);
})();
