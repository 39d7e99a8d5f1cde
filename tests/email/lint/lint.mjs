// Find what Gmail and Outlook do not support in the HTML on standard input, according to caniemail's
// data. Print {"errors": {feature: [clients]}, "warnings": {...}}; a warning means partial support.
import { readFileSync } from "node:fs";
import { caniemail } from "caniemail";

const html = readFileSync(0, "utf8");
const { issues } = caniemail({ clients: ["gmail.*", "outlook.*"], html });
const found = {};
for (const kind of ["errors", "warnings"]) {
  const clients = new Map();
  for (const [client, features] of issues[kind]) {
    for (const { title } of features) clients.set(title, (clients.get(title) ?? new Set()).add(client));
  }
  found[kind] = Object.fromEntries([...clients].sort().map(([title, by]) => [title, [...by].sort()]));
}
console.log(JSON.stringify(found));
