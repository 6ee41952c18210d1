"use strict";

const byId = (id) => document.getElementById(id);
const shown = 50; // rows
let paused = false;
let said = ""; // the verdict that was announced last

byId("pause").addEventListener("click", () => {
  paused = !paused;
  byId("pause").setAttribute("aria-pressed", String(paused));
  byId("pause").textContent = paused ? "Resume" : "Pause";
});
byId("view").addEventListener("change", refresh);

async function text(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(5000) });
  if (!answer.ok) throw new Error((await answer.json()).error);
  return answer.text();
}

// A screen reader hears the verdict only when it changes.
function verdict(words, kind) {
  if (words === said) return;
  said = words;
  byId("verdict").textContent = words;
  byId("verdict").className = kind;
}

async function showLine() {
  const line = (await text("api/v1/line")).trim();
  byId("line").textContent = line;
  const balanced = / · 0 unexplained · /.test(line);
  if (balanced) verdict("✓ The balance closes: nothing is unexplained.", "good");
  else verdict("✗ Records are unexplained. This is a bug: please report it.", "bad");
}

const number = new Intl.NumberFormat("en", { maximumSignificantDigits: 6 });
const format = (v) => (v === null ? "unknown" : number.format(v));

function cell(value, isNumber) {
  const td = document.createElement("td");
  td.textContent = value;
  if (isNumber) td.className = "number";
  return td;
}

function row(w) {
  const tr = document.createElement("tr");
  const names = Object.entries(w.key).map(([k, v]) => k + "=" + v).join(" ");
  const complete = w.completeness === null ? "unknown" : Math.floor(w.completeness * 1000) / 10 + " %";
  tr.append(
    cell(w.start.slice(11, 19) + "–" + w.end.slice(11, 19)), cell(w.tenant), cell(names),
    cell(format(w.count), true), cell(format(w.sum / w.count), true), cell(format(w.min), true), cell(format(w.p50), true),
    cell(format(w.p99), true), cell(format(w.max), true), cell(w.timing.replace("_", " ")), cell(complete, true),
  );
  return tr;
}

async function showWindows() {
  const lines = (await text("api/v1/windows?from=2m&limit=" + shown + "&" + byId("view").value)).split("\n").filter(Boolean);
  const rows = lines.map((line) => JSON.parse(line)).filter((w) => w.key).reverse().map(row);
  byId("rows").replaceChildren(...rows);
  byId("none").hidden = rows.length > 0;
  byId("asof").textContent = "as of " + new Date().toISOString().slice(11, 19) + " UTC";
}

function findingRow(f) {
  const tr = document.createElement("tr");
  tr.append(
    cell(f.started.slice(11, 19)), cell(f.severity), cell(f.tenant), cell(f.device || f.devices + " devices"),
    cell(f.kind), cell(f.origin), cell(f.says),
  );
  return tr;
}

async function showFindings() {
  const lines = (await text("api/v1/findings?open=true&limit=" + shown)).split("\n").filter(Boolean);
  byId("findings").replaceChildren(...lines.map((line) => findingRow(JSON.parse(line))).reverse());
  byId("found").hidden = lines.length === 0;
  byId("calm").hidden = lines.length > 0;
  byId("calm").textContent = "Nothing is open.";
}

async function refresh() {
  showFindings().catch((err) => {
    byId("found").hidden = true;
    byId("calm").hidden = false;
    byId("calm").textContent = err.message;
  });
  try {
    await Promise.all([showLine(), showWindows()]);
  } catch (err) {
    verdict("✗ No answer: " + err.message, "bad");
  }
}

async function run() {
  if (!paused && !document.hidden) await refresh();
  setTimeout(run, 1000);
}
run();
