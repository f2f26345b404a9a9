// Bundles the pages' scripts and styles into ../static/dist (or the directory named by the first argument): files
// named by their content, manifest.json that says which is which, and the licences of what was bundled.
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const out = path.resolve(process.argv[2] ?? path.join(here, "../static/dist"));
const entries = ["app.js", "draft.js", "player.js"].map((name) => `js/${name}`).concat("css/app.css", "icon.svg");

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const { metafile } = await esbuild.build({
  absWorkingDir: here,
  entryPoints: entries,
  outdir: out,
  entryNames: "[name]-[hash]",
  chunkNames: "chunk-[hash]",
  bundle: true,
  loader: { ".svg": "copy" },
  splitting: true,
  format: "esm",
  target: ["es2022"],
  minify: true,
  legalComments: "none", // they are in LICENSES.txt, whole
  metafile: true,
});
await writeFile(path.join(out, "manifest.json"), JSON.stringify(manifest(metafile), null, 2) + "\n");
await writeFile(path.join(out, "LICENSES.txt"), await licences(metafile));

// manifest maps an entry's name to the file that was made of it.
function manifest({ outputs }) {
  const names = Object.entries(outputs)
    .filter(([, output]) => output.entryPoint)
    .map(([file, output]) => [path.basename(output.entryPoint), path.basename(file)]);
  return Object.fromEntries(names.sort());
}

// licences returns the licence of every package that a bundle holds a byte of.
async function licences({ outputs }) {
  const packages = new Set();
  for (const output of Object.values(outputs)) {
    for (const [file, { bytesInOutput }] of Object.entries(output.inputs)) {
      const match = bytesInOutput > 0 && file.match(/^.*node_modules\/((?:@[^/]+\/)?[^/]+)/);
      if (match) packages.add(match[0]);
    }
  }
  const texts = await Promise.all([...packages].sort().map(licence));
  return "StereoSpot's pages hold code of these packages.\n" + texts.join("");
}

async function licence(dir) {
  const about = JSON.parse(await readFile(path.join(here, dir, "package.json"), "utf8"));
  const file = (await readdir(path.join(here, dir))).find((name) => /^licen[cs]e/i.test(name));
  const text = file ? (await readFile(path.join(here, dir, file), "utf8")).trim() : `Licence: ${about.license}`;
  return `\n${"-".repeat(72)}\n${about.name} ${about.version} (${about.license})\n\n${text}\n`;
}
