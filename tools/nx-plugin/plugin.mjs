// Infers the targets of Terraform projects (any directory with a project.json and *.tf) and of images (any project.json
// with metadata.image), so that they are stated here once. Nx loads it by nx.json.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { imageTargets } from './image.mjs'
import { terraformTargets } from './terraform.mjs'

export const name = 'stereospot-nx-plugin'

// createNodes is Nx's hook: for the files that match, what their projects are beside what project.json says.
export const createNodes = ['**/project.json', (files, _options, { workspaceRoot }) =>
  files.map((file) => [file, { projects: infer(file, workspaceRoot) }])]

// createNodesV2 is the same hook's older name.
export const createNodesV2 = createNodes

// infer returns what is inferred of the project of one project.json, by the project's root.
export function infer(file, workspaceRoot) {
  const root = posix.dirname(file)
  const read = (path) => JSON.parse(readFileSync(join(workspaceRoot, path), 'utf8'))
  const { name, metadata = {} } = read(file)
  if (metadata.image) {
    return { [root]: { root, ...imageTargets(name, metadata.image) } }
  }
  if (!readdirSync(join(workspaceRoot, dirname(file))).some((entry) => entry.endsWith('.tf'))) {
    return {}
  }
  return { [root]: { root, ...terraformTargets(root, backendOf(metadata, workspaceRoot, read)) } }
}

// backendOf returns the name and root of the project that keeps this one's state, or null.
function backendOf(metadata, workspaceRoot, read) {
  const name = metadata.terraform?.backendProject
  if (!name) return null
  const file = readdirSync(join(workspaceRoot, 'infra'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => posix.join('infra', entry.name, 'project.json'))
    .find((path) => existsSync(join(workspaceRoot, path)) && read(path).name === name)
  if (!file) throw new Error(`backendProject is ${name}: no project in infra/ has that name`)
  return { name, root: posix.dirname(file) }
}
